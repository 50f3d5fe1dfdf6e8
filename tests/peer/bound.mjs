// The steps with tokens that are bound to a key (`--dpop`, RFC 9449). At their end nobody is signed in at `url`.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { enter } from './device.mjs';
import { forged } from './proof.mjs';
import { KEYS, SECRET } from './server.mjs';

const proven = 'let in with DPoP';
const unproven = 'let in with Bearer';

/// The steps, for the servers and with the tools of the story that they belong to.
export function boundSteps(tools) {
  const { peer, home, url, bound, during, withBridges, withBridge, whoami } = tools;
  const { nextLink, asMachine, newest, refreshed, byDevice } = tools;

  // The key that the newest tokens of these kinds are bound to: one for all.
  async function boundTo(...kinds) {
    const [key, ...others] = await Promise.all(kinds.map((kind) => peer.keyOf(newest(kind))));
    assert.ok(key, 'the token is bound to no key');
    for (const other of others) assert.equal(other, key);
    return key;
  }

  // A request to the server with a token that somebody took: how it is refused.
  async function taken(headers) {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
    const response = await fetch(url, { method: 'POST', body, headers });
    await response.body?.cancel();
    assert.equal(response.status, 401);
    return /error="([^"]*)"/.exec(response.headers.get('www-authenticate'))?.[1];
  }

  // Runs bridges as a client that no person stands behind: a token is had, kept and renewed, bound to one key.
  async function asBoundMachine(client, ...options) {
    const act = () => asMachine(client, ...options, '--dpop', '--profile', 'bound');
    const granted = 'grant client_credentials';
    for (const expected of [1, 0]) {
      const count = await during(act, granted, unproven, '401 with a token');
      assert.deepEqual(count, { browser: 0, [granted]: expected, [unproven]: 0, '401 with a token': 0 });
    }
    const key = await boundTo('access_token');
    assert.equal(peer.proven.token, newest('access_token'));
    assert.equal(await taken({ authorization: `Bearer ${newest('access_token')}` }), 'invalid_token');
    await peer.expire();
    assert.deepEqual(await during(act, granted, unproven), { browser: 0, [granted]: 1, [unproven]: 0 });
    assert.equal(await boundTo('access_token'), key);
  }

  return {
    'login --dpop takes no sign-in that is not bound to a key, and makes one that is': async () => {
      await home.run(['logout', url]);
      await home.run(['login', url]);
      assert.equal(await peer.keyOf(newest('access_token')), undefined);
      const login = async () => {
        assert.equal(JSON.parse(await home.run(['login', url, '--dpop', '--json'])).refreshable, true);
      };
      const events = ['grant authorization_code', 'nonce at the authorization server'];
      const count = await during(login, ...events);
      assert.deepEqual(count, { browser: 1, ...Object.fromEntries(events.map((event) => [event, 1])) });
      await boundTo('access_token', 'refresh_token');
    },

    'a call on a bound token goes with a proof': async () => {
      for (const options of [['--dpop'], []]) {
        const act = () => withBridge(url, whoami, ...options);
        const events = ['access_token.saved', '401 with a token', 'nonce at the server', unproven, proven];
        const count = await during(act, ...events);
        assert.ok(count[proven] >= 4, JSON.stringify(count));
        delete count[proven];
        const expected = { 'access_token.saved': 0, '401 with a token': 0, 'nonce at the server': 1, [unproven]: 0 };
        assert.deepEqual(count, { browser: 0, ...expected });
      }
      assert.equal(peer.proven.token, newest('access_token'));
    },

    'another nonce costs neither a refresh nor a sign-in': async () => {
      const act = async (bridge) => {
        peer.renewNonce();
        await Promise.all(Array.from({ length: 5 }, () => whoami(bridge)));
      };
      const count = await during(() => withBridge(url, act, '--dpop'), refreshed, '401 with a token');
      assert.deepEqual(count, { browser: 0, [refreshed]: 0, '401 with a token': 0 });
    },

    'bound tokens are renewed once, and bound to the same key': async () => {
      const [key, old] = [await boundTo('access_token', 'refresh_token'), newest('refresh_token')];
      const act = async (...bridges) => {
        await peer.expire();
        await Promise.all(bridges.flatMap((bridge) => [whoami(bridge), whoami(bridge)]));
      };
      const count = await during(() => withBridges([url, url], act, '--dpop'), refreshed, unproven);
      assert.deepEqual(count, { browser: 0, [refreshed]: 1, [unproven]: 0 });
      assert.notEqual(newest('refresh_token'), old);
      assert.equal(await boundTo('access_token', 'refresh_token'), key);
      assert.equal(peer.proven.token, newest('access_token'));
    },

    'a bound token is worth nothing without its key': async () => {
      const { token, proof } = peer.proven;
      assert.equal(await peer.isGood(token), true);
      const count = await during(async () => {
        assert.equal(await taken({ authorization: `Bearer ${token}` }), 'invalid_token');
        assert.equal(await taken({ authorization: `Bearer ${token}`, dpop: proof }), 'invalid_token');
      }, 'a bound token as Bearer', unproven, proven);
      assert.deepEqual(count, { browser: 0, 'a bound token as Bearer': 2, [unproven]: 0, [proven]: 0 });
      const authorization = `DPoP ${token}`;
      assert.equal(await taken({ authorization }), 'invalid_dpop_proof');
      assert.equal(await taken({ authorization, dpop: proof }), 'invalid_dpop_proof');
      const dpop = await forged({ method: 'POST', url, token, nonce: peer.nonce });
      assert.equal(await taken({ authorization, dpop }), 'invalid_token');
    },

    'a code that is entered on another device gets bound tokens too': async () => {
      await home.run(['logout', url]);
      const login = async () => {
        const done = home.run(['login', url, '--device-code', '--dpop']);
        assert.equal((await enter(await nextLink())).status, 200);
        await done;
      };
      assert.deepEqual(await during(login, byDevice), { browser: 0, [byDevice]: 1 });
      const key = await boundTo('access_token', 'refresh_token');
      await peer.expire();
      const count = await during(() => withBridge(url, whoami, '--dpop'), refreshed, unproven);
      assert.deepEqual(count, { browser: 0, [refreshed]: 1, [unproven]: 0 });
      assert.equal(await boundTo('access_token', 'refresh_token'), key);
    },

    'logging out revokes bound tokens': async () => {
      const tokens = [newest('access_token'), newest('refresh_token')];
      assert.deepEqual(await Promise.all(tokens.map((token) => peer.isGood(token))), [true, true]);
      await home.run(['logout', url]);
      assert.deepEqual(await Promise.all(tokens.map((token) => peer.isGood(token))), [false, false]);
    },

    'a server that takes only bound tokens gets them unasked': async () => {
      const events = ['grant authorization_code', '401 with a token', unproven];
      const count = await during(() => withBridge(bound, whoami), ...events);
      assert.deepEqual(count, { browser: 1, 'grant authorization_code': 1, '401 with a token': 0, [unproven]: 0 });
      await boundTo('access_token', 'refresh_token');
    },

    'a machine gets bound tokens with a secret': async () => {
      const file = join(home.folder, 'bound-machine-secret');
        writeFileSync(file, SECRET.secret, { mode: 0o600 });
        await asBoundMachine(SECRET.client, '--client-secret-file', file);
    },

    'machines get bound tokens with a key of each kind': async () => {
      for (const [client, file] of Object.entries(KEYS)) {
        await asBoundMachine(client, '--private-key-file', fileURLToPath(file));
      }
    },
  };
}
