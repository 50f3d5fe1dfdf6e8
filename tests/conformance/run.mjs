// Runs the official conformance suite against the bridge: `node run.mjs [PART OF A RUN'S NAME]`.
// The suite itself says which scenarios there are; all of them are run.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { LEGACY, MODERN } from '../node/bridge.mjs';
import { finish } from '../node/count.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const SUITE = join(here, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');

/// The revision before protected resource metadata.
const OLD = '2025-03-26';

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

// What a revision requires of clients, and what is only reported.
async function required(revision) {
  const listed = await list('--requirements', revision);
  return listed.filter(({ tag }) => tag === undefined || tag === 'client').map(({ name }) => name);
}

// All that is to be run, each with the revision of its server and that of the local client.
async function scenarios() {
  const legacy = await required(LEGACY);
  const old = await list('--client', '--spec-version', OLD);
  const modern = await required(MODERN);
  // The newer rules for a sign-in, with the older messages around them.
  const next = (await list('--client')).filter(({ name, tag }) => name.startsWith('auth/') && tag === MODERN);
  return [
    ...legacy.map((name) => ({ name, server: LEGACY, client: LEGACY })),
    ...old.map(({ name }) => ({ name, server: OLD, client: OLD })),
    ...next.map(({ name }) => ({ name, server: LEGACY, client: LEGACY })),
    ...[LEGACY, MODERN].flatMap((client) => modern.map((name) => ({ name, server: MODERN, client }))),
  ];
}

async function run({ name, server, client }) {
  const command = ['client', '--command', `node client.mjs ${client}`, '--timeout', '90000', '--verbose'];
  const { code, text } = await suite([
    // Forced: extensions belong to no revision, and the newer sign-ins are run with older messages, too.
    ...command, '--scenario', name, '--spec-version', server, '--force',
  ]);
  // A scenario that is skipped succeeds, and so does one that lets the client fail.
  const ran = text.includes('Test Results:') && !text.includes('WRONG:');
  return { passed: code === 0 && ran, text };
}

// How a run is called: the scenario, and who speaks which revision.
function title({ name, server, client }) {
  return `scenario ${name} (client ${client}, server ${server})`;
}

// Runs the scenarios, a few at a time, and prints each as it ends.
async function runAll(wanted) {
  const count = { passed: 0, failed: 0, ignored: 0 };
  const todo = [...wanted];
  const worker = async () => {
    for (let scenario = todo.shift(); scenario; scenario = todo.shift()) {
      const { passed, text } = await run(scenario);
      count[passed ? 'passed' : 'failed'] += 1;
      console.log(`${title(scenario)} ... ${passed ? 'ok' : 'FAILED'}`);
      if (!passed) console.log(text.replace(/^/gm, '    '));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return count;
}

const part = process.argv[2] ?? '';
const all = (await scenarios()).filter((scenario) => title(scenario).includes(part));
finish(await runAll(all));
