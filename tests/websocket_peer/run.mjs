// The official Python SDK over WebSocket, to clients of both eras: `PYTHON=... node run.mjs`.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { Home, LEGACY, MODERN } from '../node/bridge.mjs';
import { finish } from '../node/count.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const CAPABILITIES = { elicitation: {}, sampling: {} };

/// The server. It can be started anew at the same port.
class Peer {
  #child;
  #lines;
  port = 0;

  async start() {
    const args = [join(here, 'server.py'), String(this.port)];
    this.#child = spawn(process.env.PYTHON ?? 'python3', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.port = Number((await this.line()).replace('port ', ''));
  }

  get url() {
    return `ws://127.0.0.1:${this.port}/`;
  }

  /// The next line that it prints.
  async line() {
    const { value, done } = await this.#lines.next();
    assert.ok(!done, 'the server has ended');
    return value;
  }

  async stop() {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

const text = ({ content }) => content[0].text;

async function echoes(bridge, word) {
  assert.equal(text(await bridge.call('echo', { text: word })), word);
}

// What a client does, whatever its era.
const stories = {
  'lists tools and calls them': async (bridge) => {
    const { tools } = await bridge.request('tools/list', {});
    assert.deepEqual(tools.map(({ name }) => name), ['echo', 'steps', 'ask', 'sample', 'hang']);
    await echoes(bridge, 'h\u00e9llo');
    const words = Array.from({ length: 50 }, (_, at) => `word ${at}`);
    await Promise.all(words.map((word) => echoes(bridge, word)));
  },

  'hears of the progress': async (bridge) => {
    const params = { name: 'steps', arguments: {}, _meta: { progressToken: 'token' } };
    assert.equal(text(await bridge.request('tools/call', params)), 'done');
    const progress = bridge.heard.filter(({ method }) => method === 'notifications/progress');
    const told = progress.map(({ params }) => [params.progressToken, params.progress, params.total]);
    assert.deepEqual(told, [1, 2, 3].map((step) => ['token', step, 3]));
  },

  'is asked by the server': async (bridge) => {
    bridge.answers['elicitation/create'] = ({ message, requestedSchema }) => {
      assert.equal(message, 'Who are you?');
      assert.deepEqual(requestedSchema.required, ['name']);
      return { action: 'accept', content: { name: 'Ada' } };
    };
    bridge.answers['sampling/createMessage'] = ({ messages, maxTokens }) => {
      assert.deepEqual([messages[0].content.text, maxTokens], ['2 + 2?', 10]);
      return { role: 'assistant', content: { type: 'text', text: '4' }, model: 'm', stopReason: 'endTurn' };
    };
    const answer = JSON.parse(text(await bridge.call('ask')));
    assert.deepEqual(answer, { action: 'accept', content: { name: 'Ada' } });
    assert.equal(text(await bridge.call('sample')), '4');
  },

  'goes on when the server is started anew': async (bridge, peer) => {
    await echoes(bridge, 'before');
    const hangs = bridge.call('hang');
    assert.equal(await peer.line(), 'hangs');
    const fails = assert.rejects(hangs, /tools\/call/);
    await peer.stop();
    await fails;
    await peer.start();
    await echoes(bridge, 'after');
  },

  'is told what it did wrong': async (bridge) => {
    await assert.rejects(bridge.request('no/such', {}), ({ error }) => Number.isInteger(error.code));
    const wrong = await bridge.request('tools/call', { name: 'echo', arguments: { text: 1 } });
    assert.equal(wrong.isError, true);
    await echoes(bridge, 'still there');
  },
};

async function tell(revision, story, peer) {
  const home = new Home();
  const bridge = home.bridge([peer.url]);
  try {
    await bridge.begin(revision, CAPABILITIES);
    await story(bridge, peer);
    await bridge.leave();
    assert.deepEqual(home.wrongs, []);
  } catch (wrong) {
    wrong.said = home.said;
    throw wrong;
  } finally {
    await bridge.kill();
    home.remove();
  }
}

const peer = new Peer();
await peer.start();
const count = { passed: 0, failed: 0 };
for (const revision of [LEGACY, MODERN]) {
  for (const [name, story] of Object.entries(stories)) {
    try {
      await tell(revision, story, peer);
      count.passed += 1;
      console.log(`a client of ${revision} ${name} ... ok`);
    } catch (wrong) {
      count.failed += 1;
      console.log(`a client of ${revision} ${name} ... FAILED`);
      console.log(`${wrong.stack}\n${wrong.said}`.replace(/^/gm, '    '));
    }
  }
}
await peer.stop();
finish(count);
