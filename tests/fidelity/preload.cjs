// What tests/everything/preload.cjs settles, and more that is left to chance:
// - the level of the messages that the server logs by a timer,
// - whether a client listens already when the server asks for its roots, 350 ms after the handshake.
"use strict";

require("../everything/preload.cjs");

Math.random = () => 0.5;

const { setTimeout } = globalThis;
globalThis.setTimeout = (act, delay, ...args) => setTimeout(act, delay === 350 ? 2000 : delay, ...args);
