#!/usr/bin/env node
// A browser that clicks nothing: $BROWSER of the suites. It opens the address in its argument, follows redirects, keeps
// cookies, and notes in the file BROWSER_LOG what it did. Each line begins with the address of the start, or with "end".

import { appendFileSync } from 'node:fs';

const cookies = new Map();
const REDIRECTS = 20;

function note(line) {
  if (process.env.BROWSER_LOG) appendFileSync(process.env.BROWSER_LOG, `${line}\n`);
}

// By name only: there is one user and no other site.
function keep(response) {
  for (const line of response.headers.getSetCookie()) {
    const [pair] = line.split(';');
    const at = pair.indexOf('=');
    const [name, value] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    value === '' ? cookies.delete(name) : cookies.set(name, value);
  }
}

async function visit(url, left = REDIRECTS) {
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const response = await fetch(url, { redirect: 'manual', headers: cookie ? { cookie } : {} });
  keep(response);
  const next = response.headers.get('location');
  if (response.status < 300 || response.status > 399 || !next) return response;
  if (left === 0) throw new Error('too many redirects');
  await response.body?.cancel();
  return visit(new URL(next, url), left - 1);
}

try {
  note(`start ${process.argv[2]}`);
  const response = await visit(new URL(process.argv[2]));
  const text = await response.text();
  note(`end ${response.status} ${/<h1[^>]*>([^<]*)/.exec(text)?.[1] ?? ''}`.trimEnd());
} catch (wrong) {
  note(`end ${wrong.message} ${wrong.cause?.message ?? ''}`.trimEnd());
}
