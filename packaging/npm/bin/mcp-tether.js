#!/usr/bin/env node
// Starts the native program that npm has installed for this platform. It takes over stdin, stdout and stderr: nothing is
// read or printed here, unless the program is missing. Signals go to it, and its end becomes this one's.
"use strict";

const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const name = `mcp-tether-${process.platform}-${process.arch}`;
const file = process.platform === "win32" ? "mcp-tether.exe" : "mcp-tether";

let program;
try {
  program = require.resolve(`${name}/bin/${file}`);
} catch {
  process.stderr.write(
    `mcp-tether: the package ${name} is not installed\n` +
      "hint: install without --omit=optional; where there is no such package, cargo install mcp-tether\n",
  );
  process.exit(1);
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  // A terminal sends SIGINT to the program, too: forwarding it would make two of one, which means at once. A host sends to
  // this process alone.
  process.on(signal, () => {
    if (signal === "SIGINT" && process.stdin.isTTY) return;
    child.kill(signal);
  });
}

child.on("error", (wrong) => {
  process.stderr.write(`mcp-tether: cannot start ${program}: ${wrong.message}\n`);
  process.exit(1);
});

child.on("exit", (code, signal) => {
  // A shell would say it with the same number.
  process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
});
