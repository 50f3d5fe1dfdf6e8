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
async function through(home, name, Client, scenario) {
  const server = await remote(name);
  const from = server.log.length;
  const listening = () => server.logged('Establishing new SSE stream', from);
  const client = new Client(BINARY, [server.url], home.environment);
  try {
    await scenario(client, { listening });
    assert.equal(await client.leave(), 0);
    return client;
  } catch (wrong) {
    wrong.heard = [...client.lines, client.said];
    throw wrong;
  } finally {
    await client.kill();
  }
}

/// A server of the client's own era.
const matched = (name, Client, scenario) => async (home) => {
  const wanted = await direct(name, Client, scenario);
  const got = await through(home, name, Client, scenario);
  assert.deepEqual([...wanted.wrongs, ...got.wrongs], []);
  byteForByte(got, wanted);
};

/// A server of the other era, which is mapped.
const mixed = (name, Own, Client, scenario, map) => async (home) => {
  const wanted = await direct(name, Own, scenario);
  const got = await through(home, name, Client, scenario);
  assert.deepEqual([...wanted.wrongs, ...got.wrongs], []);
  across(got, map(wanted));
};

/// A story that tells itself what is right.
const told = (name, Client, story) => async (home) => {
  const { wrongs } = await through(home, name, Client, story);
  assert.deepEqual(wrongs, []);
};

/// Tests one after the other on the same account, which remembers what it found out about servers.
const inTurn = (...tests) => async (home) => {
  for (const test of tests) await test(home);
};

// Over HTTP a server of the older era can reach a client only when that listens.
const listens = (scenario) => (client, { listening }) => {
  const { begin } = client;
  client.begin = async (...args) => {
    await begin.apply(client, args);
    await listening();
  };
  return scenario(client, { listening });
};

function tests() {
  const all = {};
  for (const [name, scenario] of Object.entries(EVERYTHING)) {
    all[`${LEGACY} client, ${LEGACY} server: ${name}`] = matched('everything', LegacyClient, listens(scenario));
    all[`${MODERN} client, ${LEGACY} server: ${name}`] =
      mixed('everything', LegacyClient, ModernClient, scenario, toModern);
  }
  for (const [name, scenario] of Object.entries(SDK2)) {
    all[`${MODERN} client, ${MODERN} server: ${name}`] = matched('modern', ModernClient, scenario);
    all[`${LEGACY} client, ${MODERN} server: ${name}`] =
      mixed('modern', ModernClient, LegacyClient, scenario, toLegacy);
    all[`${MODERN} client, server of both: ${name}`] = matched('both', ModernClient, scenario);
  }
  for (const name of STATELESS) {
    all[`${LEGACY} client, server of both: ${name}`] = matched('both', LegacyClient, SDK2[name]);
  }
  const [older, newer] = [matched('both', LegacyClient, SDK2.tools), matched('both', ModernClient, SDK2.tools)];
  all['clients of both eras in turn, server of both'] = inTurn(older, newer, older, newer);
  for (const [first, server] of [[LEGACY, MODERN], [MODERN, LEGACY]]) {
    const both = [first, server].map((client) => all[`${client} client, ${server} server: tools`]);
    all[`clients of both eras in turn, ${server} server`] = inTurn(...both, ...both);
  }
  for (const [name, { server, Client, story }] of Object.entries(STORIES)) all[name] = told(server, Client, story);
  return Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
}

// Runs a test on an account of its own.
async function run(test) {
  const home = new Home();
  try {
    await test(home);
  } finally {
    home.remove();
  }
}

const part = process.argv[2] ?? '';
const count = { passed: 0, failed: 0, ignored: 0 };
for (const [name, test] of tests().filter(([name]) => name.includes(part))) {
  try {
    await run(test);
    count.passed += 1;
    console.log(`scenario ${name} ... ok`);
  } catch (wrong) {
    count.failed += 1;
    console.log(`scenario ${name} ... FAILED`);
    console.log([wrong.stack, ...(wrong.heard ?? [])].join('\n').replace(/^/gm, '    '));
  }
}
for (const server of Object.values(remotes)) server.stop();
finish(count);
