// What tests/everything/preload.cjs settles, and the level of the messages that the server logs by a timer.
"use strict";

require("../everything/preload.cjs");

Math.random = () => 0.5;
