// Signs the bridge in at an authorization server that nobody here wrote: `node run.mjs [file|keyring]`.
// The steps are one story, each goes on where the last one ended.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setInterval } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Home } from '../node/bridge.mjs';
import { finish } from '../node/count.mjs';
import { boundSteps } from './bound.mjs';
import { enter, shownLink } from './device.mjs';
import { KEYS, SECRET, startPeer } from './server.mjs';

const VERSION = '2025-11-25';
const store = process.argv[2] ?? 'file';
const peer = await startPeer();
const home = new Home(store);
const url = peer.url('/mcp');
const brief = peer.url('/brief/mcp');
const bound = peer.url('/bound/mcp');

// Does something, and counts what it made happen at the servers.
async function during(act, ...events) {
  const counts = () => ({
    browser: home.openings,
    ...Object.fromEntries(events.map((event) => [event, peer.count(event)])),
  });
  const before = counts();
  await act();
  return Object.fromEntries(Object.entries(counts()).map(([name, count]) => [name, count - before[name]]));
}

// Runs something on a bridge, or on several that start together.
async function withBridges(servers, act, ...options) {
  const bridges = servers.map((server) => home.bridge([server, '--debug', '--initialize-wait', '20', ...options]));
  try {
    await Promise.all(bridges.map(async (bridge) => {
      assert.deepEqual((await bridge.begin(VERSION)).map(({ name }) => name), ['whoami']);
    }));
    await act(...bridges);
    await Promise.all(bridges.map((bridge) => bridge.leave()));
  } finally {
    await Promise.all(bridges.map((bridge) => bridge.kill()));
  }
}

const withBridge = (server, act, ...options) => withBridges([server], act, ...options);

async function whoami(bridge) {
  const { content } = await bridge.call('whoami');
  assert.equal(content[0].text, 'alice');
}

// All that the keyring of the system holds for us.
function keyring() {
  const search = ['search', '--all', 'service', 'mcp-tether'];
  const { stdout, error } = spawnSync('secret-tool', search, { encoding: 'utf8' });
  if (error) throw error;
  return stdout.trim();
}

// The files that hold any of the tokens.
function filesWithTokens() {
  const tokens = Object.values(peer.issued).flat();
  return readdirSync(home.folder, { recursive: true }).filter((name) => {
    const path = join(home.folder, name);
    if (!statSync(path).isFile()) return false;
    const text = readFileSync(path, 'utf8');
    return tokens.some((token) => text.includes(token));
  });
}

// The address with the code in it that is shown from now on.
async function nextLink() {
  const before = home.said.length;
  for await (const _ of setInterval(20)) {
    const link = shownLink(home.said.slice(before));
    if (link) return link;
  }
}

const byDevice = 'grant urn:ietf:params:oauth:grant-type:device_code';

// Runs a bridge as a client that no person stands behind; the server names it.
async function asMachine(client, ...options) {
  const bridge = home.bridge([url, '--debug', '--client-credentials', '--client-id', client, ...options]);
  try {
    await bridge.begin(VERSION);
    const { content } = await bridge.call('whoami');
    assert.equal(content[0].text, client);
    await bridge.leave();
  } finally {
    await bridge.kill();
  }
}

const newest = (kind) => peer.issued[kind].at(-1);
const refreshed = 'grant refresh_token';

const servers = { peer, url, bound };
const bridges = { home, withBridges, withBridge, whoami, asMachine };
const tools = { ...servers, ...bridges, during, nextLink, newest, refreshed, byDevice };

const steps = {
  'the first request opens the browser, registers and signs in': async () => {
    const events = ['registration_create.success', 'grant authorization_code', 'access_token.saved'];
    const count = await during(() => withBridge(url, whoami), ...events);
    assert.deepEqual(count, { browser: 1, ...Object.fromEntries(events.map((event) => [event, 1])) });
    assert.equal(peer.issued.refresh_token.length, 1);
  },

  'the browser ends at a page that says so': async () => {
    assert.match(await home.lastPage(), /^end 200 .+/);
  },

  'the next bridge needs neither browser nor tokens': async () => {
    const count = await during(() => withBridge(url, whoami), 'access_token.saved', '401', '401 with a token');
    assert.deepEqual(count, { browser: 0, 'access_token.saved': 0, 401: 0, '401 with a token': 0 });
  },

  'five calls on a token that is no longer good make one refresh': async () => {
    const old = newest('refresh_token');
    const act = async (bridge) => {
      await peer.expire();
      await Promise.all(Array.from({ length: 5 }, () => whoami(bridge)));
    };
    assert.deepEqual(await during(() => withBridge(url, act), refreshed), { browser: 0, [refreshed]: 1 });
    assert.notEqual(newest('refresh_token'), old);
  },

  'the refresh token that took its place works too': async () => {
    await peer.expire();
    assert.deepEqual(await during(() => withBridge(url, whoami), refreshed), { browser: 0, [refreshed]: 1 });
  },

  'two bridges on a token that is no longer good make one refresh': async () => {
    const act = async (...bridges) => {
      await peer.expire();
      await Promise.all(bridges.map(whoami));
    };
    assert.deepEqual(await during(() => withBridges([url, url], act), refreshed), { browser: 0, [refreshed]: 1 });
  },

  'the tokens are nowhere but in the store': () => {
    const files = filesWithTokens();
    for (const name of files) {
      assert.match(name, /^credentials\//);
      assert.equal(statSync(join(home.folder, name)).mode & 0o777, 0o600);
    }
    assert.equal(files.length, store === 'keyring' ? 0 : 1);
  },

  'a token that is about to expire is renewed before the server refuses it': async () => {
    await withBridge(brief, whoami);
    const act = async (bridge) => {
      // Past the last fifth of its five seconds. Time itself is what passes here.
      await new Promise((passed) => setTimeout(passed, 4_300));
      await whoami(bridge);
    };
    const count = await during(() => withBridge(brief, act), refreshed, '401 with a token');
    assert.equal(count.browser, 0);
    assert.ok(count[refreshed] >= 1, JSON.stringify(count));
    assert.equal(count['401 with a token'], 0);
  },

  'a token that expired while nobody ran is renewed': async () => {
    await new Promise((passed) => setTimeout(passed, 5_500));
    const count = await during(() => withBridge(brief, whoami), refreshed, '401 with a token');
    assert.deepEqual(count, { browser: 0, [refreshed]: 1, '401 with a token': 0 });
  },

  'a grant that was taken back asks the user again': async () => {
    await peer.withdraw();
    const count = await during(() => withBridge(url, whoami), 'grant authorization_code');
    assert.deepEqual(count, { browser: 1, 'grant authorization_code': 1 });
  },

  'the status names the sign-in and no secret': async () => {
    const text = await home.run(['status', '--json']);
    assert.ok(text.includes(url) && text.includes(peer.issuer), text);
    JSON.parse(text);
    for (const token of Object.values(peer.issued).flat()) assert.ok(!text.includes(token), text);
  },

  'secret-tool reads it back': () => {
    assert.ok(keyring().includes(newest('refresh_token')), keyring());
  },

  'logging out revokes the tokens': async () => {
    const tokens = [newest('access_token'), newest('refresh_token')];
    assert.deepEqual(await Promise.all(tokens.map((token) => peer.isGood(token))), [true, true]);
    const count = await during(() => home.run(['logout', url]), 'revocation');
    assert.ok(count.revocation >= 1, 'no revocation was seen');
    assert.deepEqual(await Promise.all(tokens.map((token) => peer.isGood(token))), [false, false]);
    assert.ok(!(await home.run(['status', '--json'])).includes(url));
  },

  'two bridges that need a sign-in open one browser': async () => {
    const act = (...bridges) => Promise.all(bridges.map(whoami));
    const count = await during(() => withBridges([url, url], act), 'grant authorization_code');
    assert.deepEqual(count, { browser: 1, 'grant authorization_code': 1 });
  },

  'the command login signs in, and a bridge then has no need to': async () => {
    await home.run(['logout', url]);
    const login = async () => JSON.parse(await home.run(['login', url, '--json']));
    assert.equal((await during(login)).browser, 1);
    assert.equal((await during(() => withBridge(url, whoami))).browser, 0);
  },

  'a code that is entered on another device signs in, and the tokens are renewed as any': async () => {
    await home.run(['logout', url]);
    const login = async () => {
      const done = home.run(['login', url, '--device-code', '--json']);
      assert.equal((await enter(await nextLink())).status, 200);
      assert.equal(JSON.parse(await done).refreshable, true);
    };
    assert.deepEqual(await during(login, byDevice), { browser: 0, [byDevice]: 1 });
    await peer.expire();
    assert.deepEqual(await during(() => withBridge(url, whoami), refreshed), { browser: 0, [refreshed]: 1 });
  },

  'a bridge shows the code too': async () => {
    await home.run(['logout', url]);
    const bridge = home.bridge([url, '--device-code', '--initialize-wait', '20']);
    const [, page] = await Promise.all([bridge.begin(VERSION), nextLink().then((link) => enter(link))]);
    assert.equal(page.status, 200);
    await whoami(bridge);
    await bridge.leave();
  },

  'who says no on the other device is not signed in': async () => {
    await home.run(['logout', url]);
    const before = home.said.length;
    const login = assert.rejects(home.run(['login', url, '--device-code']), /ended with 3/);
    await enter(await nextLink(), 'abort');
    await login;
    assert.match(home.said.slice(before), /the sign-in was refused/);
  },

  'machines get tokens with a key of each kind': async () => {
    for (const [client, file] of Object.entries(KEYS)) {
      const act = () => asMachine(client, '--private-key-file', fileURLToPath(file));
      const count = await during(act, 'grant client_credentials');
      assert.deepEqual(count, { browser: 0, 'grant client_credentials': 1 });
    }
    const pss = ['--signing-algorithm', 'PS256', '--profile', 'pss'];
    await asMachine('machine-rsa', '--private-key-file', fileURLToPath(KEYS['machine-rsa']), ...pss);
  },

  'a machine gets a token with a secret': async () => {
    const file = join(home.folder, 'machine-secret');
    writeFileSync(file, SECRET.secret, { mode: 0o600 });
    const count = await during(() => asMachine(SECRET.client, '--client-secret-file', file), 'grant client_credentials');
    assert.deepEqual(count, { browser: 0, 'grant client_credentials': 1 });
    assert.ok(!home.said.includes(SECRET.secret));
  },

  ...boundSteps(tools),

  'logging out everywhere leaves nothing': async () => {
    await home.run(['logout', '--all']);
    const text = await home.run(['status', '--json']);
    assert.ok(![url, brief, bound].some((server) => text.includes(server)), text);
    assert.deepEqual(filesWithTokens(), []);
  },

  'secret-tool finds nothing': () => {
    assert.equal(keyring(), '');
  },

  'no token was ever printed, and nothing but JSON-RPC came out': () => {
    const tokens = Object.values(peer.issued).flat();
    assert.ok(tokens.length > 5);
    assert.deepEqual(tokens.filter((token) => home.said.includes(token)), []);
    assert.deepEqual(home.wrongs, []);
  },
};

const count = { passed: 0, failed: 0, ignored: 0 };
for (const [name, step] of Object.entries(steps)) {
  if (name.startsWith('secret-tool') && store !== 'keyring') continue;
  const before = home.said.length;
  try {
    await step();
    count.passed += 1;
    console.log(`step ${name} ... ok`);
  } catch (wrong) {
    count.failed += 1;
    console.log(`step ${name} ... FAILED`);
    console.log([wrong.stack, home.said.slice(before), ...home.visits, ...peer.events].join('\n').replace(/^/gm, '    '));
  }
}
peer.stop();
home.remove();
finish(count);
