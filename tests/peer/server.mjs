// Two servers in this process: `oidc-provider` as the authorization server, and a small MCP server whose tokens it gives.

import { createPublicKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

import { ALGORITHMS, Proofs } from './proof.mjs';

const SCOPE = 'mcp:tools';
const USER = 'alice';

/// The resources of the MCP server, each with the seconds that its access tokens live.
const LIFETIMES = { '/mcp': 3600, '/brief/mcp': 5, '/bound/mcp': 3600 };

/// The one that takes only tokens that are bound to a key, and says so.
const BOUND = '/bound/mcp';

/// The private key of each client that no person stands behind.
export const KEYS = {
  'machine-rsa': new URL('../keys/rsa-pkcs1.pem', import.meta.url),
  'machine-p256': new URL('../keys/p256-sec1.pem', import.meta.url),
  'machine-ed25519': new URL('../keys/ed25519.pem', import.meta.url),
};

/// One that has a secret, with all that an encoding may get wrong.
export const SECRET = { client: 'machine:secret', secret: 'a b%c:d&e+f/g=h' };

const MACHINE = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };

function machines() {
  const keyed = Object.entries(KEYS).map(([client_id, file]) => {
    const jwk = createPublicKey(readFileSync(file)).export({ format: 'jwk' });
    return { ...MACHINE, client_id, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } };
  });
  const { client: client_id, secret: client_secret } = SECRET;
  return [...keyed, { ...MACHINE, client_id, client_secret, token_endpoint_auth_method: 'client_secret_basic' }];
}

const TOOL = { name: 'whoami', description: 'Names the user', inputSchema: { type: 'object' } };

// What the provider does that a test may want to see, by the provider's own names.
const EVENTS = ['registration_create.success', 'authorization.success', 'access_token.saved', 'grant.revoked'];
const TROUBLE = ['registration_create.error', 'authorization.error', 'grant.error', 'revocation.error', 'server_error'];

/// Starts both. `events` and `secrets` grow as things happen. `more` gives configuration of the provider for the server's
/// URL, which counts most.
export async function startPeer(more = () => ({})) {
  const [authorization, resource] = await Promise.all([listen(), listen()]);
  const peer = new Peer(authorization, resource, more);
  authorization.server.on('request', (request, response) => peer.authorize(request, response));
  resource.server.on('request', (request, response) => peer.serve(request, response));
  return peer;
}

class Peer {
  #servers;
  #provider;
  #origin;
  #proofs = new Proofs();

  constructor(authorization, resource, more) {
    this.#servers = [authorization.server, resource.server];
    this.#origin = resource.origin;
    this.issuer = authorization.origin;
    this.events = [];
    /// Every token that was issued, by its kind.
    this.issued = { access_token: [], refresh_token: [] };
    /// The last request that was let in with a bound token: its token and its proof.
    this.proven = null;
    this.#provider = this.#build(more(this.url('/mcp')));
  }

  /// The address of a resource.
  url(path) {
    return `${this.#origin}${path}`;
  }

  /// How often something happened.
  count(event) {
    return this.events.filter((seen) => seen === event).length;
  }

  /// Makes every access token worthless, as if its time were over.
  async expire() {
    const tokens = await Promise.all(this.issued.access_token.map((token) => this.#access(token)));
    await Promise.all(tokens.map((token) => token?.destroy()));
  }

  /// Wants another nonce in the proofs at the MCP server.
  renewNonce() {
    this.#proofs.renew();
  }

  /// The nonce that the MCP server wants.
  get nonce() {
    return this.#proofs.nonce;
  }

  /// The thumbprint of the key that a token is bound to; undefined if it is bound to none.
  async keyOf(token) {
    return ((await this.#access(token)) ?? (await this.#provider.RefreshToken.find(token)))?.jkt;
  }

  /// Takes back what the user granted, so that no token works, whatever its kind.
  async withdraw() {
    await this.expire();
    const tokens = await Promise.all(this.issued.refresh_token.map((token) => this.#provider.RefreshToken.find(token)));
    await Promise.all(tokens.map((token) => token?.destroy()));
  }

  /// Whether a token is still good.
  async isGood(token) {
    const { AccessToken, RefreshToken } = this.#provider;
    const found = (await AccessToken.find(token)) ?? (await RefreshToken.find(token));
    return found?.isValid === true;
  }

  // An access token, whoever it was given to.
  async #access(token) {
    const { AccessToken, ClientCredentials } = this.#provider;
    return (await AccessToken.find(token)) ?? ClientCredentials.find(token);
  }

  stop() {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  #build({ clients = [], ...more }) {
    const provider = new Provider(this.issuer, {
      scopes: ['openid', 'offline_access', SCOPE],
      clients: [...machines(), ...clients],
      cookies: { keys: ['only for tests'] },
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
      // Its own choice is to keep those that are bound to a key.
      rotateRefreshToken: true,
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        deviceFlow: { enabled: true },
        dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
        registration: { enabled: true },
        revocation: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_, resource) => this.#describe(resource),
        },
      },
      ...more,
    });
    for (const event of [...EVENTS, ...TROUBLE]) {
      provider.on(event, (_, wrong) => this.#note(event, wrong));
    }
    provider.on('grant.success', (ctx) => this.events.push(`grant ${ctx.oidc.params.grant_type}`));
    provider.use((ctx, next) => this.#watch(ctx, next));
    return provider;
  }

  #note(event, wrong) {
    if (wrong?.error === 'use_dpop_nonce') {
      // No trouble: it is how a client gets its first nonce.
      this.events.push('nonce at the authorization server');
      return;
    }
    this.events.push(event);
    if (TROUBLE.includes(event)) console.error(`${event}: ${wrong?.error_description ?? wrong?.message ?? ''}`);
  }

  // The resources that tokens are given for.
  #describe(resource) {
    const path = Object.keys(LIFETIMES).find((known) => this.url(known) === resource);
    if (!path) throw new Error(`unknown resource ${resource}`);
    return { scope: SCOPE, audience: resource, accessTokenTTL: LIFETIMES[path], accessTokenFormat: 'opaque' };
  }

  async #watch(ctx, next) {
    await next();
    if (ctx.path === '/token/revocation' && ctx.status === 200) this.events.push('revocation');
    for (const [kind, tokens] of Object.entries(this.issued)) {
      if (ctx.path === '/token' && ctx.body?.[kind]) tokens.push(ctx.body[kind]);
    }
  }

  /// The authorization server, with a user who always says yes.
  async authorize(request, response) {
    if (!request.url.startsWith('/interaction/')) {
      this.#provider.callback()(request, response);
      return;
    }
    try {
      const result = await this.#consent(await this.#provider.interactionDetails(request, response));
      await this.#provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
    } catch (wrong) {
      this.#note('server_error', wrong);
      response.writeHead(500).end(wrong.message);
    }
  }

  async #consent({ prompt, params, grantId, session }) {
    if (prompt.name === 'login') return { login: { accountId: USER } };
    const { Grant } = this.#provider;
    const { accountId } = session;
    const grant = (grantId && (await Grant.find(grantId))) || new Grant({ accountId, clientId: params.client_id });
    if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
    for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
      grant.addResourceScope(resource, scopes.join(' '));
    }
    return { consent: { grantId: await grant.save() } };
  }

  /// The MCP server.
  async serve(request, response) {
    const prefix = '/.well-known/oauth-protected-resource';
    const path = request.url.startsWith(prefix) ? request.url.slice(prefix.length) : request.url;
    if (!(path in LIFETIMES)) response.writeHead(404).end();
    else if (path !== request.url) json(response, 200, this.#metadata(path));
    else if (request.method !== 'POST') response.writeHead(405).end();
    else await this.#mcp(path, request, response);
  }

  #metadata(path) {
    const bound = { dpop_bound_access_tokens_required: true, dpop_signing_alg_values_supported: ALGORITHMS };
    const metadata = { resource: this.url(path), authorization_servers: [this.issuer], scopes_supported: [SCOPE] };
    return path === BOUND ? { ...metadata, ...bound } : metadata;
  }

  async #mcp(path, request, response) {
    const body = await text(request);
    const [, scheme, token] = /^(Bearer|DPoP) (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    const found = token && (await this.#access(token));
    const wrong = await this.#wrong(path, request, { scheme, token, found });
    if (wrong !== null) {
      this.#refuse(path, response, { scheme, wrong });
      return;
    }
    if (found.jkt) this.proven = { token, proof: request.headers.dpop };
    this.events.push(`let in with ${scheme}`);
    const { id, method, params } = JSON.parse(body);
    if (id === undefined) response.writeHead(202).end();
    else json(response, 200, { jsonrpc: '2.0', id, ...answer(method, params, found.accountId ?? found.clientId) });
  }

  // Why a request is not let in: an error of RFC 6750 or RFC 9449, empty where there is no token, null where it is let in.
  async #wrong(path, { method, headers }, { scheme, token, found }) {
    if (!token) return '';
    if (!found?.isValid || found.aud !== this.url(path) || !found.scopes.has(SCOPE)) return 'invalid_token';
    if (!found.jkt && path === BOUND) return 'invalid_token';
    if (Boolean(found.jkt) !== (scheme === 'DPoP')) {
      this.events.push(found.jkt ? 'a bound token as Bearer' : 'a free token as DPoP');
      return 'invalid_token';
    }
    if (!found.jkt) return null;
    return this.#proofs.wrong(headers.dpop, { method, url: this.url(path), token, key: found.jkt });
  }

  #refuse(path, response, { scheme, wrong }) {
    if (wrong === 'use_dpop_nonce') this.events.push('nonce at the server');
    else this.events.push(wrong ? '401 with a token' : '401');
    const bound = scheme === 'DPoP' || path === BOUND;
    const metadata = this.url(`/.well-known/oauth-protected-resource${path}`);
    const parts = [`scope="${SCOPE}"`, `resource_metadata="${metadata}"`];
    if (wrong) parts.unshift(`error="${wrong}"`);
    if (bound) parts.push(`algs="${ALGORITHMS.join(' ')}"`);
    if (wrong === 'use_dpop_nonce') response.setHeader('dpop-nonce', this.nonce);
    response.setHeader('www-authenticate', `${bound ? 'DPoP' : 'Bearer'} ${parts.join(', ')}`);
    json(response, 401, { error: wrong });
  }
}

function answer(method, params, user) {
  const serverInfo = { name: 'peer', version: '1.0.0' };
  switch (method) {
    case 'initialize':
      return { result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo } };
    case 'ping':
      return { result: {} };
    case 'tools/list':
      return { result: { tools: [TOOL] } };
    case 'tools/call':
      return { result: { content: [{ type: 'text', text: user }] } };
    default:
      return { error: { code: -32601, message: 'Method not found' } };
  }
}

function json(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function text(request) {
  let whole = '';
  for await (const part of request) whole += part;
  return whole;
}

function listen() {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => resolve({ server, origin: `http://127.0.0.1:${server.address().port}` }));
  });
}
