// A stdio client of each era. It notes what it hears: the lines as they came, and what they mean.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/// The last revision of the older era, and the first of the newer one.
export const LEGACY = '2025-11-25';
export const MODERN = '2026-07-28';

/// What the names in `_meta` begin with that the protocol itself gives out.
export const KEY = 'io.modelcontextprotocol/';
const INFO = { name: 'mcp-tether-fidelity', version: '1.0.0' };

/// Longer than anything here takes, and how often a server may ask for more.
const LIMIT = 30_000;
const ROUNDS = 10;

/// Waits no longer than anything here may take.
export async function limited(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${LIMIT / 1000} s`)), LIMIT);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/// What both eras have in common.
class Client {
  #child;
  #end;
  #next = 1;
  #waiting = new Map();
  #listeners = new Set();

  /// Every line that came, what the requests of the scenario led to, and the notifications.
  lines = [];
  notes = [];
  told = [];
  /// What no server may do.
  wrongs = [];
  /// What the program said on stderr.
  said = '';
  /// How the user answers what the server asks: by method, from parameters to a result.
  answers = {};
  /// What each request says of this client.
  meta = {};

  constructor(command, args, env) {
    this.#child = spawn(command, args, { env, stdio: 'pipe' });
    this.#child.stderr.on('data', (data) => (this.said += data));
    this.#child.stdin.on('error', () => {});
    this.#end = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code, signal) => resolve(code ?? signal));
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line));
    this.#end.then((code) => this.#fail(new Error(`it ended with ${code}`)), (wrong) => this.#fail(wrong));
  }

  /// Sends a request; its answer, a result or an error.
  ask(method, params, id = this.id()) {
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.send({ id, method, params });
    return limited(answer, method);
  }

  /// An id that was not used yet. Every third is a string.
  id() {
    const id = this.#next++;
    return id % 3 === 0 ? `request ${id} ü` : id;
  }

  send(message) {
    this.#child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  call(name, args = {}, options = {}) {
    return this.request('tools/call', { name, arguments: args }, options);
  }

  /// Calls a tool and does not wait; the id of the request.
  start(name, args, token) {
    const id = this.id();
    const _meta = { ...this.meta, progressToken: token };
    this.send({ id, method: 'tools/call', params: { name, arguments: args, _meta } });
    return id;
  }

  cancel(id) {
    this.send({ method: 'notifications/cancelled', params: { requestId: id, reason: 'enough' } });
  }

  /// Notes what a request led to.
  note(method, asked, { result, error }) {
    const answer = result === undefined ? { error } : { result };
    this.notes.push({ method, asked, answer });
    return answer;
  }

  /// Waits until so many notifications of that method came, and gives them.
  heard(method, times = 1) {
    const all = new Promise((resolve) => {
      const look = () => {
        const found = this.told.filter((message) => message.method === method);
        if (found.length < times) return;
        this.#listeners.delete(look);
        resolve(found);
      };
      this.#listeners.add(look);
      look();
    });
    return limited(all, `${times} of ${method}`);
  }

  /// How the user answers a server that asks.
  reply({ method, params }) {
    const answer = this.answers[method];
    return answer ? answer(params ?? {}) : { error: { code: -32601, message: 'Method not found' } };
  }

  /// Ends stdin, as a client does that leaves; the code that the program ends with.
  leave() {
    this.#child.stdin.end();
    return limited(this.#end, 'the end');
  }

  /// Ends it at once, if it still runs.
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#end.catch(() => {});
  }

  #take(line) {
    this.lines.push(line);
    const message = parsed(line);
    if (message?.jsonrpc !== '2.0') this.wrongs.push(`no message: ${line}`);
    else if (message.method === undefined) this.#answer(message);
    else if (message.id === undefined) this.told.push(message);
    else this.serve(message);
    for (const look of this.#listeners) look();
  }

  #answer(message) {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (waiting) waiting.resolve(message);
    else this.wrongs.push(`an answer that nothing waits for: ${JSON.stringify(message)}`);
  }

  #fail(wrong) {
    for (const { reject } of this.#waiting.values()) reject(wrong);
    this.#waiting.clear();
  }
}

/// A client of 2025-11-25: it opens a session, and is asked by requests.
export class LegacyClient extends Client {
  #asked = [];
  legacy = true;

  async begin(capabilities = {}) {
    const params = { protocolVersion: LEGACY, capabilities, clientInfo: INFO };
    const { result } = this.note('initialize', [], await this.ask('initialize', params));
    assert.ok(result, 'it cannot be initialized');
    this.send({ method: 'notifications/initialized' });
    await this.ask('ping');
    // Over HTTP nobody hears what a server says before its listening stream is there, and the bridge itself answers
    // what comes during the handshake.
    this.told.length = 0;
    this.lines.length = 1;
  }

  /// Sends a request, and notes its answer with what the server asked up to then.
  async request(method, params = {}, { token } = {}) {
    const meta = token === undefined ? {} : { _meta: { progressToken: token } };
    const answer = await this.ask(method, { ...params, ...meta });
    return this.note(method, this.#asked.splice(0), answer);
  }

  serve({ id, method, params }) {
    this.#asked.push({ method, params });
    const answer = this.reply({ method, params });
    this.send({ id, ...(answer.error ? answer : { result: answer }) });
  }

  /// Wants to hear of changes; lists are always heard of.
  async watch({ resourceSubscriptions: uris }) {
    this.uris = uris;
    for (const uri of uris) assert.deepEqual((await this.ask('resources/subscribe', { uri })).result, {});
  }

  async unwatch() {
    for (const uri of this.uris) assert.deepEqual((await this.ask('resources/unsubscribe', { uri })).result, {});
  }

  /// From which level on log messages are wanted.
  async level(level) {
    assert.deepEqual((await this.ask('logging/setLevel', { level })).result, {});
  }
}

/// A client of 2026-07-28: each request says who asks, and what the server wants to know comes as a result.
export class ModernClient extends Client {
  #listening = null;
  legacy = false;

  async begin(capabilities = {}) {
    this.meta = {
      [`${KEY}protocolVersion`]: MODERN,
      [`${KEY}clientInfo`]: INFO,
      [`${KEY}clientCapabilities`]: capabilities,
    };
    const { result } = this.note('server/discover', [], await this.ask('server/discover', { _meta: this.meta }));
    assert.ok(result, 'it cannot be discovered');
  }

  /// Sends a request, and again with what the server wants to know, until it is done; notes all that.
  async request(method, params = {}, { token } = {}) {
    const _meta = { ...this.meta, ...(token === undefined ? {} : { progressToken: token }) };
    const asked = [];
    let answer = await this.ask(method, { ...params, _meta });
    for (let round = 0; answer.result?.resultType === 'input_required' && round < ROUNDS; round += 1) {
      const { inputRequests = {}, requestState } = answer.result;
      asked.push(...Object.values(inputRequests));
      const replies = Object.entries(inputRequests).map(([key, request]) => [key, this.reply(request)]);
      const inputResponses = Object.fromEntries(replies);
      const next = { ...params, inputResponses, ...(requestState === undefined ? {} : { requestState }), _meta };
      answer = await this.ask(method, next);
    }
    return this.note(method, asked, answer);
  }

  serve(message) {
    this.wrongs.push(`a request: ${JSON.stringify(message)}`);
  }

  /// Wants to hear of changes: waits until the server has agreed.
  async watch(notifications) {
    const id = this.id();
    this.#listening = id;
    this.send({ id, method: 'subscriptions/listen', params: { notifications, _meta: this.meta } });
    const [{ params }] = await this.heard('notifications/subscriptions/acknowledged');
    assert.deepEqual(params.notifications, notifications);
  }

  async unwatch() {
    const id = this.#listening;
    this.cancel(id);
    const changes = this.told.filter(({ method }) => /changed$|updated$|acknowledged$/.test(method));
    for (const { params } of changes) assert.equal(params._meta[`${KEY}subscriptionId`], id);
  }

  /// From which level on log messages are wanted.
  async level(level) {
    this.meta = { ...this.meta, [`${KEY}logLevel`]: level };
  }
}
