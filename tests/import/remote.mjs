// A real `mcp-remote` of some version: it is started as a host does, its user signs in, a tool is called, and it leaves its
// store behind.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setInterval } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const BROWSER = fileURLToPath(new URL('../node/browser.mjs', import.meta.url));
const LIMIT = 60_000;

/// Signs in with that version; `args` are what a host has for it. Gives what it said.
export async function signIn(version, args, environment) {
  const program = fileURLToPath(new URL(`node_modules/mcp-remote-${version}/dist/proxy.js`, import.meta.url));
  // It must find no browser: this one follows the address that it prints.
  const env = { ...environment, BROWSER: 'true', DISPLAY: '', NO_COLOR: '1' };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: 'pipe' });
  const remote = new Remote(child, environment);
  try {
    await within(remote.call(), `mcp-remote ${version}`, () => remote.said);
    return remote.said;
  } finally {
    child.kill('SIGKILL');
  }
}

class Remote {
  #child;
  #waiting = new Map();
  #visited = false;
  #environment;

  constructor(child, environment) {
    this.#child = child;
    this.#environment = environment;
    this.said = '';
    child.stdin.on('error', () => {});
    createInterface({ input: child.stderr }).on('line', (line) => this.#read(line));
    createInterface({ input: child.stdout }).on('line', (line) => this.#take(JSON.parse(line)));
  }

  async call() {
    const clientInfo = { name: 'host', version: '1.0.0' };
    await this.#ask(1, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo });
    this.#send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    const { content } = await this.#ask(2, 'tools/call', { name: 'whoami', arguments: {} });
    assert.equal(content[0].text, 'alice');
  }

  #ask(id, method, params) {
    this.#send({ jsonrpc: '2.0', id, method, params });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #send(message) {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #take({ id, result, error }) {
    const { resolve, reject } = this.#waiting.get(id) ?? {};
    if (error) reject?.(new Error(JSON.stringify(error)));
    else resolve?.(result);
  }

  async #visit(address) {
    await listens(new URL(new URL(address).searchParams.get('redirect_uri')).port);
    spawn(process.execPath, [BROWSER, address], { env: this.#environment, stdio: 'ignore' });
  }

  #read(line) {
    this.said += `${line}\n`;
    const address = /https?:\/\/\S+[?&]response_type=code\S*/.exec(line)?.[0];
    if (!address || this.#visited) return;
    this.#visited = true;
    this.#visit(address);
  }
}

// Old versions show the address before they listen at the one that it leads back to.
async function listens(port) {
  for await (const _ of setInterval(20)) {
    const socket = connect({ port, host: '127.0.0.1' });
    const answer = once(socket, 'connect').then(() => true, () => false);
    const there = await answer;
    socket.destroy();
    if (there) return;
  }
}

async function within(promise, what, said) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${LIMIT / 1000} s:\n${said()}`)), LIMIT);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
