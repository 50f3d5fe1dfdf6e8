// Loaded into the server before its own code. It settles what the server leaves to chance:
// - It announces the port that it was told, not the one that it got, so PORT=0 needs a line of
//   its own. It would also listen on every interface.
// - Its answers carry the time of day, and could not be compared byte for byte.
"use strict";

const net = require("node:net");

const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (port, announce) {
  this.once("listening", () => console.error(`listening at ${this.address().port}`));
  return listen.call(this, Number(port), "127.0.0.1", announce);
};

Date.prototype.toLocaleTimeString = () => "12:00:00 AM";
