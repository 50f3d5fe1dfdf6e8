// The client under test, as the suite starts it: `node client.mjs URL`, with the scenario's name, its protocol version
// and its context in the environment. It speaks over the real binary and does what every MCP client does: the
// handshake, the list of tools, one call of each.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Home } from '../node/bridge.mjs';

// The document that the suite expects as the client's id; it is never fetched.
const METADATA_URL = 'https://conformance-test.local/client-metadata.json';

// What the suite's authorization servers hand out. None of it may be logged.
const SECRETS = ['test-token', 'test-auth-code', 'test-client-secret', 'test-secret', 'as1-client-secret'];

function options(home, scenario, context) {
  const args = ['--debug', '--initialize-wait', '20'];
  if (scenario === 'auth/basic-cimd') args.push('--client-metadata-url', METADATA_URL);
  if (context.client_id) args.push('--client-id', context.client_id);
  if (context.client_secret) {
    const file = join(home.folder, 'client-secret');
    writeFileSync(file, context.client_secret, { mode: 0o600 });
    args.push('--client-secret-file', file);
  }
  return args;
}

// The values that a form suggests.
function filledIn({ requestedSchema }) {
  const fields = Object.entries(requestedSchema.properties).filter(([, field]) => 'default' in field);
  return { action: 'accept', content: Object.fromEntries(fields.map(([name, field]) => [name, field.default])) };
}

// Something for each field that a tool requires. A field named "schema" wants to see what became of another tool's.
function argumentsFor({ name, inputSchema: { properties = {}, required = [] } }, tools) {
  const values = { number: 2, integer: 2, string: 'text', boolean: true, array: [], object: {} };
  const schema = tools.find((tool) => tool.name !== name)?.inputSchema;
  const value = (field) => (field === 'schema' ? schema : values[properties[field]?.type]);
  return Object.fromEntries(required.map((field) => [field, value(field) ?? null]));
}

async function converse(bridge, version) {
  bridge.answers['elicitation/create'] = filledIn;
  const tools = await bridge.begin(version, { elicitation: { form: { applyDefaults: true } } });
  for (const tool of tools) await bridge.call(tool.name, argumentsFor(tool, tools));
  await bridge.leave();
}

const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const home = new Home();
const bridge = home.bridge([process.argv.at(-1), ...options(home, scenario, context)]);
try {
  await converse(bridge, process.env.MCP_CONFORMANCE_PROTOCOL_VERSION);
} catch (wrong) {
  await bridge.kill();
  console.error(home.said);
  console.error(['browser:', ...home.visits].join('\n  '));
  console.error(wrong);
  process.exitCode = 1;
}
const leaked = [...SECRETS, context.client_secret].filter((secret) => secret && home.said.includes(secret));
// Said on stdout, for run.mjs: there are scenarios that let the client fail.
for (const wrong of [...home.wrongs, ...leaked.map((secret) => `${secret} is on stderr`)]) {
  console.log(`WRONG: ${wrong}`);
  process.exitCode = 1;
}
home.remove();
