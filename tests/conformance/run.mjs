// Runs the official conformance suite against the bridge: `node run.mjs [PART OF A SCENARIO'S NAME]`.
// The suite itself says which scenarios there are; only what is left out is named here.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { finish } from '../node/count.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const SUITE = join(here, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');

/// The revision whose requirements are met.
const REVISION = '2025-11-25';
/// The revision before protected resource metadata.
const OLD = '2025-03-26';
/// The revision whose rules for a sign-in are checked as well, with the older messages around them.
const NEXT = '2026-07-28';

/// What the bridge does not do, and why.
const LEFT_OUT = {
  'auth/client-credentials-jwt': 'no sign-in of machines yet',
  'auth/client-credentials-basic': 'no sign-in of machines yet',
  'auth/enterprise-managed-authorization': 'no sign-in through an identity provider of the company yet',
  'auth/wif-jwt-bearer': 'no workload identity yet',
  'auth/dpop': 'no proof of possession yet',
  'auth/dpop-nonce': 'no proof of possession yet',
};

/// How many scenarios run at a time. Each is a few programs.
const AT_ONCE = 3;

// The suite needs a newer Node than Debian's.
const local = join(here, 'node_modules/.bin/node');
const node = existsSync(local) ? local : process.execPath;

function suite(args) {
  const env = { ...process.env, PATH: `${join(here, 'node_modules/.bin')}:${process.env.PATH}`, NO_COLOR: '1' };
  const child = spawn(node, ['--no-deprecation', SUITE, ...args], { cwd: here, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += data));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, text }));
  });
}

// The client scenarios of a list, with what stands in brackets behind each.
async function list(...options) {
  const { code, text } = await suite(['list', ...options]);
  if (code !== 0) throw new Error(`the suite cannot list its scenarios:\n${text}`);
  const scenarios = text.slice(text.indexOf('Client scenarios')).matchAll(/^ +- (\S+)(?: \[(.*)\])?$/gm);
  return [...scenarios].map(([, name, tag]) => ({ name, tag }));
}

// All that is to be run, each with the revision of its messages.
async function scenarios() {
  const required = (await list('--requirements', REVISION)).filter(({ tag }) => tag === undefined || tag === 'client');
  const old = await list('--client', '--spec-version', OLD);
  const next = (await list('--client')).filter(({ name, tag }) => name.startsWith('auth/') && tag === NEXT);
  return [
    ...required.map(({ name }) => ({ name, version: REVISION })),
    ...old.map(({ name }) => ({ name, version: OLD })),
    ...next.map(({ name }) => ({ name, version: REVISION, force: true })),
  ];
}

async function run({ name, version, force = false }) {
  const client = ['client', '--command', 'node client.mjs', '--timeout', '90000', '--verbose'];
  const { code, text } = await suite([
    ...client, '--scenario', name, '--spec-version', version, ...(force ? ['--force'] : []),
  ]);
  // A scenario that is skipped succeeds, and so does one that lets the client fail.
  const ran = text.includes('Test Results:') && !text.includes('WRONG:');
  return { passed: code === 0 && ran, text };
}

// Runs the scenarios, a few at a time, and prints each as it ends.
async function runAll(wanted) {
  const count = { passed: 0, failed: 0, ignored: 0 };
  const todo = [...wanted];
  const worker = async () => {
    for (let scenario = todo.shift(); scenario; scenario = todo.shift()) {
      const { passed, text } = await run(scenario);
      count[passed ? 'passed' : 'failed'] += 1;
      console.log(`scenario ${scenario.name} (${scenario.version}) ... ${passed ? 'ok' : 'FAILED'}`);
      if (!passed) console.log(text.replace(/^/gm, '    '));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return count;
}

const part = process.argv[2] ?? '';
const all = (await scenarios()).filter(({ name }) => name.includes(part));
const left = all.filter(({ name }) => name in LEFT_OUT);
const count = await runAll(all.filter(({ name }) => !(name in LEFT_OUT)));
for (const { name } of left) console.log(`scenario ${name} ... ignored, ${LEFT_OUT[name]}`);
finish({ ...count, ignored: left.length });
