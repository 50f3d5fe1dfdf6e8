// Talks to a command as a client of MCP does, while it bridges to a server here that answers in a form of its own, and
// compares what comes out byte for byte. `{url}` in the arguments and in MCP_TETHER_HEADER's place is the server's address.
//
//   node talk.mjs ping COMMAND [ARGUMENT...]       a handshake, a request, the end of stdin, exit code 0
//   node talk.mjs signal COMMAND [ARGUMENT...]     SIGTERM to the command ends it, and all that it started, with 0
//   node talk.mjs bundle FOLDER MCPB               `ping`, with what the manifest of an unpacked bundle says

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/// Longer than anything here takes.
const LIMIT = 30_000;

const LINES = [
  '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"check","version":"1"}}}',
  '{"jsonrpc":"2.0","method":"notifications/initialized"}',
  '{"jsonrpc":"2.0","id":"two","method":"tools/list"}',
];
const HELLO = '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}';
// No serializer writes numbers like these.
const TOOLS = '{"result":{"tools":[],"exact":1.0,"big":123456789012345678901234567890,"z":"\\u00e9"}, "id":"two","jsonrpc":"2.0"}';

const asked = [];
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (part) => (body += part));
  request.on('end', () => {
    asked.push({ headers: request.headers, body });
    const answer = body.includes('"initialize"') ? HELLO : body.includes('tools/list') ? TOOLS : undefined;
    if (request.method !== 'POST') response.writeHead(405).end();
    else if (answer === undefined) response.writeHead(202).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
  });
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const url = `http://127.0.0.1:${server.address().port}/mcp`;

function start(command, args, env = {}) {
  const child = spawn(command, args.map((arg) => arg.replace('{url}', url)), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  setTimeout(() => {
    console.error('it does not end');
    for (const pid of [child.pid, ...children(child.pid)]) process.kill(pid, 'SIGKILL');
    process.exit(1);
  }, LIMIT).unref();
  const said = { out: '', err: '' };
  child.stdout.on('data', (part) => (said.out += part));
  child.stderr.on('data', (part) => (said.err += part));
  const ended = new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => done({ code, signal }));
  });
  return { child, said, ended };
}

async function ping(command, args, env) {
  const { child, said, ended } = start(command, args, env);
  const greeted = new Promise((done) => child.stdout.once('data', done));
  child.stdin.write(`${LINES[0]}\n`);
  await Promise.race([greeted, ended]);
  child.stdin.end(`${LINES.slice(1).join('\n')}\n`);
  assert.deepEqual(await ended, { code: 0, signal: null }, JSON.stringify(said));
  assert.equal(said.err, '', 'nothing on stderr');
  assert.equal(said.out, `${HELLO}\n${TOOLS}\n`, 'the bytes of the server');
}

/// The processes that one has started.
function children(pid) {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

async function signal(command, args) {
  const { child, said, ended } = start(command, args);
  const greeted = new Promise((done) => child.stdout.once('data', done));
  child.stdin.write(`${LINES[0]}\n`);
  await greeted;
  const below = children(child.pid);
  child.kill('SIGTERM');
  assert.deepEqual(await ended, { code: 0, signal: null }, JSON.stringify(said));
  for (const pid of below) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, `${pid} lives on`);
  console.log(`SIGTERM reached ${below.length} below`);
}

async function bundle(folder, mcpb) {
  const { getMcpConfigForManifest } = await import(pathToFileURL(resolve(mcpb)));
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  const config = (userConfig) =>
    getMcpConfigForManifest({ manifest, extensionPath: resolve(folder), systemDirs: {}, userConfig, pathSeparator: '/' });
  assert.equal(await config({}), undefined, 'the address is required');
  const bare = await config({ url });
  await ping(bare.command, bare.args, bare.env);
  const full = await config({ url, header: 'Authorization: Bearer of-the-bundle' });
  asked.length = 0;
  await ping(full.command, full.args, full.env);
  assert.equal(asked[0].headers.authorization, 'Bearer of-the-bundle');
}

const [what, ...rest] = process.argv.slice(2);
if (what === 'bundle') await bundle(...rest);
else await { ping, signal }[what](rest[0], rest.slice(1));
server.closeAllConnections();
server.close();
