// What a server checks of the proofs that go with tokens bound to a key (RFC 9449), and proofs as a thief would make them.

import { createHash, randomUUID } from 'node:crypto';

import { calculateJwkThumbprint, EmbeddedJWK, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';

/// The algorithms of proofs that are taken.
export const ALGORITHMS = ['ES256'];

const TYPE = 'dpop+jwt';

/// Seconds that a proof may be old.
const RECENT = 60;

const hash = (text) => createHash('sha256').update(text).digest('base64url');

/// Checks proofs at one server. Each is taken once, and only with the newest nonce.
export class Proofs {
  #seen = new Set();

  constructor() {
    this.renew();
  }

  /// From now on another nonce is wanted.
  renew() {
    this.nonce = randomUUID();
  }

  /// What is wrong with a proof, as the error of RFC 9449; null if nothing is.
  async wrong(proof, { method, url, token, key }) {
    const options = { algorithms: ALGORITHMS, typ: TYPE };
    const verified = await jwtVerify(proof ?? '', EmbeddedJWK, options).catch(() => null);
    if (!verified) return 'invalid_dpop_proof';
    const { htm, htu, iat, jti, ath, nonce } = verified.payload;
    const recent = Math.abs(Date.now() / 1000 - iat) <= RECENT;
    const fits = htm === method && htu === url && ath === hash(token) && recent;
    if (!fits || !jti || this.#seen.has(jti) || verified.protectedHeader.jwk.d) return 'invalid_dpop_proof';
    this.#seen.add(jti);
    if (nonce !== this.nonce) return 'use_dpop_nonce';
    return (await calculateJwkThumbprint(verified.protectedHeader.jwk)) === key ? null : 'invalid_token';
  }
}

/// A proof with a key of one's own, right in all but that.
export async function forged({ method, url, token, nonce }) {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const head = { alg: 'ES256', typ: TYPE, jwk: await exportJWK(publicKey) };
  const claims = { htm: method, htu: url, ath: hash(token), nonce };
  return new SignJWT(claims).setProtectedHeader(head).setIssuedAt().setJti(randomUUID()).sign(privateKey);
}
