// Moves users of the real mcp-remote over, of one version after the other: it signs in, `import` runs, and from then on nobody
// signs in again, not even when the access token is over.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Home } from '../node/bridge.mjs';
import { finish } from '../node/count.mjs';
import { startPeer } from '../peer/server.mjs';
import { signIn } from './remote.mjs';

const VERSION = '2025-11-25';
const SCOPE = { scope: 'mcp:tools' };

/// What a user has after the URL, for each version. The oldest ones ask for no scope by themselves.
const PINNED = ['--static-oauth-client-metadata', JSON.stringify(SCOPE)];
const VERSIONS = {
  '0.1.29': PINNED,
  '0.1.30': PINNED,
  '0.1.36': [],
  '0.1.38': [],
  '0.1.43': [],
  '0.2.7': [],
  '0.8.7': [],
  '0.15.1': [],
};

/// A client that was registered by hand, with the address that mcp-remote works out for itself.
const BY_HAND = { client_id: 'by-hand', client_secret: 'by-hand-s3cret' };

const client = (redirect) => ({
  ...BY_HAND,
  redirect_uris: [redirect],
  token_endpoint_auth_method: 'client_secret_post',
  grant_types: ['authorization_code', 'refresh_token'],
  application_type: 'native',
});

// What the peer lets clients of old versions do.
const LENIENT = { issueRefreshToken: () => true, scopes: ['openid', 'offline_access', 'mcp:tools', 'email', 'profile'] };

/// A user who has mcp-remote in Cursor.
class User extends Home {
  get environment() {
    return { ...super.environment, HOME: this.folder, XDG_CONFIG_HOME: join(this.folder, '.config') };
  }

  get #config() {
    return join(this.folder, '.cursor/mcp.json');
  }

  get base() {
    return join(this.folder, '.mcp-auth');
  }

  enter(command, args, env = {}) {
    mkdirSync(join(this.folder, '.cursor'), { recursive: true });
    const entry = { command, args, env, disabled: false };
    writeFileSync(this.#config, JSON.stringify({ mcpServers: { other: { command: 'x' }, peer: entry } }, null, 4));
  }

  get entry() {
    return JSON.parse(readFileSync(this.#config, 'utf8')).mcpServers.peer;
  }

  /// The bridge as Cursor would start it now.
  start(...more) {
    const { command, args, env } = this.entry;
    assert.match(command, /^\/.*mcp-tether$/);
    const own = Object.fromEntries(Object.entries(env ?? {}));
    const home = Object.create(this, { environment: { value: { ...this.environment, ...own } } });
    return super.bridge.call(home, [...args, ...more]);
  }

  async import(...options) {
    return JSON.parse(await this.run(['import', '--json', ...options]));
  }
}

const users = [];
const peers = [];

async function newPeer(more = () => ({})) {
  const peer = await startPeer((server) => ({ ...LENIENT, ...more(server) }));
  peers.push(peer);
  return peer;
}

function newUser() {
  const user = new User('file');
  users.push(user);
  return user;
}

const signIns = ['registration_create.success', 'authorization.success', 'grant authorization_code'];

// A bridge names the user, and nobody signs in for it.
async function calls(peer, user) {
  const before = signIns.map((event) => peer.count(event));
  const bridge = user.start('--initialize-wait', '20');
  try {
    await bridge.begin(VERSION);
    const { content } = await bridge.call('whoami');
    assert.equal(content[0].text, 'alice');
    await bridge.leave();
  } finally {
    await bridge.kill();
  }
  assert.deepEqual(signIns.map((event) => peer.count(event)), before);
  assert.equal(user.openings, user.signedIn);
}

// What stands in all files of a folder.
function contents(folder) {
  if (!existsSync(folder)) return {};
  const files = readdirSync(folder, { recursive: true }).filter((name) => statSync(join(folder, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

const main = await newPeer();
const url = main.url('/mcp');

const story = (version, options) => ({
  [`${version}: a sign-in moves over`]: async () => {
    const user = newUser();
    await signIn(version, [url, ...options], user.environment);
    user.signedIn = user.openings;
    user.enter('npx', ['-y', `mcp-remote@${version}`, url, ...options]);
    const kept = contents(user.base);

    const shown = await user.import('--dry-run');
    assert.equal(shown.files[0].entries[0].signIn.result, 'moved');
    assert.equal(user.entry.command, 'npx');

    const [file] = (await user.import()).files;
    assert.equal(file.entries[0].signIn.result, 'moved');
    assert.ok(file.entries[0].moved);
    assert.equal(user.entry.disabled, false);
    assert.deepEqual(contents(user.base), kept, 'the files of mcp-remote stay');
    await calls(main, user);

    await main.expire();
    const refreshes = main.count('grant refresh_token');
    await calls(main, user);
    assert.equal(main.count('grant refresh_token'), refreshes + 1);

    assert.deepEqual((await user.import()).files, [], 'there is nothing to do');
  },
});

// The port that mcp-remote works out, as it does it.
function port(...parts) {
  const hash = createHash('md5').update(parts.join('|')).digest('hex');
  return 3335 + (Number.parseInt(hash.slice(0, 4), 16) % 45816);
}

const newest = '0.15.1';

const steps = {
  ...Object.assign({}, ...Object.entries(VERSIONS).map(([version, options]) => story(version, options))),

  'headers, a resource and parameters are part of the name of its files': async () => {
    for (const [version, options] of [
      ['0.1.30', ['--header', 'X-Plain:one', ...PINNED]],
      ['0.8.7', ['--header', 'X-B: ${SECOND}', '--header', 'X-A: "1" \\ 2']],
      [newest, ['--resource', url, '--authorize-param', 'b=2', '--authorize-param', 'a=1', '--header', 'X-B: ${SECOND}']],
    ]) {
      const user = newUser();
      const env = { SECOND: 'second' };
      await signIn(version, [url, ...options], { ...user.environment, ...env });
      user.signedIn = user.openings;
      user.enter('npx', ['mcp-remote', url, ...options], env);
      const [file] = (await user.import()).files;
      assert.equal(file.entries[0].signIn.result, 'moved', `${version} ${options}`);
      await calls(main, user);
    }
  },

  'a client that was registered by hand keeps its secret, its port and its host': async () => {
    // Its owner registered the address that mcp-remote comes back to.
    const peer = await newPeer((server) => ({ clients: [client(`http://localhost:${port(server)}/oauth/callback`)] }));
    const server = peer.url('/mcp');
    const user = newUser();
    const options = ['--static-oauth-client-info', JSON.stringify(BY_HAND)];
    await signIn(newest, [server, ...options], user.environment);
    user.signedIn = user.openings;
    user.enter('npx', ['-y', 'mcp-remote', server, ...options]);
    const [file] = (await user.import()).files;
    assert.equal(file.entries[0].signIn.result, 'moved');
    assert.ok(!user.entry.args.join(' ').includes(BY_HAND.client_secret));
    await calls(peer, user);
    await peer.expire();
    await calls(peer, user);
    assert.equal(peer.count('grant refresh_token'), 1);
    // Nor does the next sign-in need another address.
    await peer.withdraw();
    const bridge = user.start('--initialize-wait', '20');
    try {
      await bridge.begin(VERSION);
      await bridge.leave();
    } finally {
      await bridge.kill();
    }
    assert.equal(user.openings, user.signedIn + 1);
    assert.equal(peer.count('grant authorization_code'), 2);
  },

  'a second store wins when it is newer': async () => {
    const user = newUser();
    await signIn('0.1.38', [url], user.environment);
    await signIn(newest, [url], user.environment);
    user.signedIn = user.openings;
    user.enter('npx', ['mcp-remote', url]);
    const [file] = (await user.import()).files;
    assert.match(file.entries[0].signIn.from, /mcp-remote-v1$/);
    await calls(main, user);
  },

  'a server that no entry names is imported by its URL': async () => {
    const user = newUser();
    await signIn(newest, [url], user.environment);
    user.signedIn = user.openings;
    const found = await user.import();
    assert.equal(found.orphans.length, 1);
    assert.equal(found.orphans[0].issuer, main.issuer);
    const [{ signIn: taken }] = (await user.import(url)).signIns;
    assert.equal(taken.result, 'moved');
  },

  'no token was ever printed': () => {
    const tokens = peers.flatMap((peer) => Object.values(peer.issued).flat());
    assert.ok(tokens.length > 10);
    for (const user of users) {
      assert.deepEqual(tokens.filter((token) => user.said.includes(token)), []);
      assert.ok(!user.said.includes(BY_HAND.client_secret));
      assert.deepEqual(user.wrongs, []);
    }
  },
};

const count = { passed: 0, failed: 0, ignored: 0 };
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    count.passed += 1;
    console.log(`step ${name} ... ok`);
  } catch (wrong) {
    count.failed += 1;
    console.log(`step ${name} ... FAILED`);
    console.log([wrong.stack, users.at(-1)?.said].join('\n').replace(/^/gm, '    '));
  }
}
for (const peer of peers) peer.stop();
for (const user of users) user.remove();
finish(count);
