// Official servers of both eras, asked directly and through the bridge: `node run.mjs [PART OF A NAME]`.
//
// Clients and servers of the same era: what the client hears is equal byte for byte. Of different eras: it is what the
// server says directly, mapped as mapping.mjs does it.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Home } from '../node/bridge.mjs';
import { finish } from '../node/count.mjs';
import { LEGACY, LegacyClient, MODERN, ModernClient } from './client.mjs';
import { across, byteForByte } from './compare.mjs';
import { toLegacy, toModern } from './mapping.mjs';
import { EVERYTHING, SDK2, STATELESS } from './scenarios.mjs';
import { Remote, SERVERS } from './servers.mjs';
import { STORIES } from './stories.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const BINARY = process.env.MCP_TETHER_BINARY ?? join(here, '../../target/debug/mcp-tether');
const home = new Home();
const remotes = {};

// The server of that name over HTTP; it is started when it is first wanted.
const remote = async (name) => (remotes[name] ??= await Remote.start(name));

/// Plays a scenario on the server's own stdio.
async function direct(name, Client, scenario) {
  const client = new Client(process.execPath, SERVERS[name].stdio, process.env);
  try {
    await scenario(client, { listening: async () => {} });
    return client;
  } finally {
    await client.kill();
  }
}

/// Plays a scenario through the bridge.
async function through(name, Client, scenario, { wait = false } = {}) {
  const server = await remote(name);
  const from = server.log.length;
  const listening = () => server.logged('Establishing new SSE stream', from);
  const client = new Client(BINARY, [server.url], home.environment);
  try {
    const { begin } = client;
    client.begin = async (...args) => {
      await begin.apply(client, args);
      if (wait) await listening();
    };
    await scenario(client, { listening });
    assert.equal(await client.leave(), 0);
    return client;
  } catch (wrong) {
    wrong.message += `\n${[...client.lines, client.said].join('\n')}`;
    throw wrong;
  } finally {
    await client.kill();
  }
}

/// A server of the client's own era.
const matched = (name, Client, scenario, options) => async () => {
  const wanted = await direct(name, Client, scenario);
  const got = await through(name, Client, scenario, options);
  assert.deepEqual([...wanted.wrongs, ...got.wrongs], []);
  byteForByte(got, wanted);
};

/// A server of the other era.
const mixed = (name, Own, Client, scenario, map) => async () => {
  const wanted = await direct(name, Own, scenario);
  const got = await through(name, Client, scenario);
  assert.deepEqual([...wanted.wrongs, ...got.wrongs], []);
  across(got, map(wanted));
};

function tests() {
  const all = {};
  for (const [name, scenario] of Object.entries(EVERYTHING)) {
    all[`${LEGACY} client, ${LEGACY} server: ${name}`] = matched('everything', LegacyClient, scenario, { wait: true });
    all[`${MODERN} client, ${LEGACY} server: ${name}`] =
      mixed('everything', LegacyClient, ModernClient, scenario, toModern);
  }
  for (const [name, scenario] of Object.entries(SDK2)) {
    all[`${MODERN} client, ${MODERN} server: ${name}`] = matched('modern', ModernClient, scenario);
    all[`${MODERN} client, server of both: ${name}`] = matched('both', ModernClient, scenario);
    if (STATELESS.includes(name)) all[`${LEGACY} client, server of both: ${name}`] = matched('both', LegacyClient, scenario);
    all[`${LEGACY} client, ${MODERN} server: ${name}`] = mixed('modern', ModernClient, LegacyClient, scenario, toLegacy);
  }
  for (const [name, { server, Client, story }] of Object.entries(STORIES)) {
    all[name] = async () => assert.deepEqual((await through(server, Client, story)).wrongs, []);
  }
  return Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
}

const part = process.argv[2] ?? '';
const count = { passed: 0, failed: 0, ignored: 0 };
for (const [name, test] of tests().filter(([name]) => name.includes(part))) {
  try {
    await test();
    count.passed += 1;
    console.log(`scenario ${name} ... ok`);
  } catch (wrong) {
    count.failed += 1;
    console.log(`scenario ${name} ... FAILED`);
    console.log(wrong.stack.replace(/^/gm, '    '));
  }
}
for (const server of Object.values(remotes)) server.stop();
home.remove();
finish(count);
