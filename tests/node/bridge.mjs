// The real binary as an MCP client sees it: JSON-RPC lines over stdin and stdout. And its other commands.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setInterval } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const BINARY = process.env.MCP_TETHER_BINARY ?? join(here, '../../target/debug/mcp-tether');

/// Longer than any wait of the bridge itself.
const LIMIT = 60_000;

/// The revisions that a local client speaks here: with `initialize`, and with `_meta` on every request.
export const LEGACY = '2025-11-25';
export const MODERN = '2026-07-28';

/// How often a client answers what a request asks for before it gives up.
const ROUNDS = 10;

// Errors that a client of 2026-07-28 understands: the revision is not spoken, and the bridge's own "sign in first".
const UNSUPPORTED_VERSION = -32022;
const SIGN_IN_NEEDED = -31004;

const CLIENT_INFO = { name: 'mcp-tether-suite', version: '1.0.0' };

/// A user's account on this machine: folders of its own, where sign-ins are stored, and a browser that is watched.
export class Home {
  constructor(store = 'file') {
    this.store = store;
    this.folder = mkdtempSync(join(tmpdir(), 'mcp-tether-'));
    this.log = join(this.folder, 'browser.log');
    /// What the bridges said on stderr.
    this.said = '';
    /// What no client may ever see.
    this.wrongs = [];
  }

  get environment() {
    return {
      ...process.env,
      BROWSER: join(here, 'browser.mjs'),
      BROWSER_LOG: this.log,
      MCP_TETHER_HOME: this.folder,
      MCP_TETHER_STORE: this.store,
    };
  }

  /// The lines that the browser noted.
  get visits() {
    return existsSync(this.log) ? readFileSync(this.log, 'utf8').trim().split('\n') : [];
  }

  /// How often the browser was opened.
  get openings() {
    return this.visits.filter((line) => line.startsWith('start ')).length;
  }

  /// Waits for the browser's last page; what it noted there.
  async lastPage() {
    const last = () => this.visits.at(-1) ?? '';
    const shown = async () => {
      for await (const _ of setInterval(20)) if (last().startsWith('end ')) return last();
    };
    return limited(shown(), 'the last page');
  }

  /// Starts the bridge.
  bridge(args) {
    return new Bridge(this, args);
  }

  /// Runs a command to its end; what it prints on stdout.
  async run(args) {
    const child = spawn(BINARY, args, { env: this.environment, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => (this.said += data));
    const code = await limited(ended(child), `mcp-tether ${args[0]}`, child);
    assert.equal(code, 0, `mcp-tether ${args[0]} ended with ${code}`);
    return stdout;
  }

  remove() {
    // The browser may just be writing its last line.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/// A running bridge.
export class Bridge {
  #child;
  #end;
  // What every request of 2026-07-28 says of its sender; null in the older dialect.
  #meta = null;
  #next = 1;
  #waiting = new Map();
  #wrong = null;

  constructor(home, args) {
    this.home = home;
    this.answers = {};
    /// The notifications that came.
    this.heard = [];
    this.#child = spawn(BINARY, args, { env: home.environment, stdio: 'pipe' });
    this.#child.stderr.on('data', (data) => (home.said += data));
    this.#child.stdin.on('error', () => {});
    this.#end = ended(this.#child);
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line));
    this.#end.then((code) => this.#fail(new Error(`the bridge ended with ${code}`)), (wrong) => this.#fail(wrong));
  }

  /// Sends a request; its result. What a server of 2026-07-28 asks for first is answered, and the request sent again.
  async request(method, params) {
    let result = await this.#exchange(method, params);
    for (let round = 0; this.#meta && result.resultType === 'input_required'; round += 1) {
      assert.ok(round < ROUNDS, `${method} asks for ever more`);
      result = await this.#exchange(method, await this.#nextRound(params, result));
    }
    return result;
  }

  notify(method, params) {
    this.#send({ jsonrpc: '2.0', method, params });
  }

  /// Calls a tool; its result, which must be no error.
  async call(name, args = {}) {
    const result = await this.request('tools/call', { name, arguments: args });
    assert.ok(!result.isError, `${name} failed: ${JSON.stringify(result)}`);
    return result;
  }

  /// The handshake and the list of tools, as every client begins. The revision decides how it speaks from here on.
  async begin(protocolVersion, capabilities = {}) {
    const modern = protocolVersion === MODERN;
    const begun = await (modern ? this.#discover(capabilities) : this.#initialize(protocolVersion, capabilities));
    /// What the server can do, as it says.
    this.capabilities = begun.capabilities;
    const { tools } = await this.request('tools/list', {});
    assert.ok(!tools.some((tool) => tool.name === 'sign_in'), `the sign-in is not done: ${begun.instructions}`);
    return tools;
  }

  /// Ends stdin, as a client does that leaves.
  async leave() {
    this.#child.stdin.end();
    const code = await limited(this.#end, 'the end', this.#child);
    assert.equal(code, 0, `the bridge ended with ${code}`);
  }

  /// Ends it at once, if it still runs.
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#end.catch(() => {});
  }

  async #initialize(protocolVersion, capabilities) {
    const result = await this.request('initialize', { protocolVersion, capabilities, clientInfo: CLIENT_INFO });
    assert.ok(result.protocolVersion < MODERN, `initialize is answered with ${result.protocolVersion}`);
    this.notify('notifications/initialized');
    return result;
  }

  async #discover(capabilities) {
    this.#meta = {
      'io.modelcontextprotocol/protocolVersion': MODERN,
      'io.modelcontextprotocol/clientInfo': CLIENT_INFO,
      'io.modelcontextprotocol/clientCapabilities': capabilities,
    };
    try {
      return await this.request('server/discover', {});
    } catch (wrong) {
      // It waits for no sign-in, and nobody has to ask: the next request begins one.
      if (wrong.error?.code === SIGN_IN_NEEDED) return { capabilities: {} };
      // A server may refuse the version that it offers: then it is asked once more.
      const offered = wrong.error?.code === UNSUPPORTED_VERSION && wrong.error.data?.supported?.includes(MODERN);
      if (!offered) throw wrong;
      return this.request('server/discover', {});
    }
  }

  // One request under an id of its own, and its answer.
  #exchange(method, params) {
    if (this.#wrong) return Promise.reject(this.#wrong);
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { method, resolve, reject }));
    const sent = this.#meta ? { ...params, _meta: { ...params._meta, ...this.#meta } } : params;
    this.#send({ jsonrpc: '2.0', id, method, params: sent });
    return limited(answer, method, this.#child);
  }

  // The first round's parameters, with the answers to what was asked for and the state as it came.
  async #nextRound(params, { inputRequests, requestState }) {
    const next = { ...params };
    if (requestState !== undefined) next.requestState = requestState;
    if (inputRequests) {
      next.inputResponses = {};
      for (const [key, { method, params: asked }] of Object.entries(inputRequests)) {
        assert.ok(this.answers[method], `${method} is asked for, which the client did not offer`);
        next.inputResponses[key] = await this.answers[method](asked);
      }
    }
    return next;
  }

  #send(message) {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #take(line) {
    const message = parsed(line);
    if (!isMessage(message)) this.home.wrongs.push(`no JSON-RPC on stdout: ${line}`);
    if (message?.method === undefined) this.#answer(message ?? {});
    else if (message.id !== undefined) this.#serve(message).catch((wrong) => this.#fail(wrong));
    else this.heard.push(message);
  }

  #answer({ id, result, error }) {
    const { method, resolve, reject } = this.#waiting.get(id) ?? {};
    this.#waiting.delete(id);
    if (!resolve) return this.home.wrongs.push(`an answer that nothing waits for: ${id}`);
    // No client of an older revision can go on with that.
    if (!this.#meta && result?.resultType === 'input_required') this.home.wrongs.push(`input_required to ${method}`);
    if (result) resolve(result);
    else reject(Object.assign(new Error(`${method}: ${JSON.stringify(error)}`), { error }));
  }

  // What the server asks of the client.
  async #serve({ id, method, params }) {
    if (this.#meta) return this.home.wrongs.push(`a request to a client of 2026-07-28: ${method}`);
    const answer = method === 'ping' ? () => ({}) : this.answers[method];
    const error = { code: -32601, message: 'Method not found' };
    this.#send({ jsonrpc: '2.0', id, ...(answer ? { result: await answer(params) } : { error }) });
  }

  #fail(wrong) {
    this.#wrong ??= wrong;
    for (const { reject } of this.#waiting.values()) reject(wrong);
    this.#waiting.clear();
  }
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

// JSON-RPC 2.0 sections 4 and 5.
function isMessage(message) {
  if (message?.jsonrpc !== '2.0') return false;
  if (typeof message.method === 'string') return true;
  const { id, result, error } = message;
  const isError = Number.isInteger(error?.code) && typeof error.message === 'string';
  return id !== undefined && (result === undefined ? isError : error === undefined);
}

function ended(child) {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
}

// A program that does not answer is ended, so that the suite ends too.
async function limited(promise, what, child) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      child?.kill('SIGKILL');
      reject(new Error(`${what} took longer than ${LIMIT / 1000} s`));
    }, LIMIT);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
