// The client under test, as the suite starts it: `node client.mjs REVISION URL`, with the scenario's name and its
// context in the environment. It speaks that revision over the real binary and does what every MCP client does: the
// handshake, the list of tools, one call of each, and one look at each resource and prompt.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Home, LEGACY } from '../node/bridge.mjs';

// The document that the suite expects as the client's id; it is never fetched.
const METADATA_URL = 'https://conformance-test.local/client-metadata.json';

// What the suite's authorization servers hand out. None of it may be logged.
const SECRETS = ['test-token', 'test-auth-code', 'test-client-secret', 'test-secret', 'as1-client-secret'];

// Servers of 2026-07-28 that count an `initialize` as a mistake: the user of an older client has to tell of them.
const NO_INITIALIZE = ['request-metadata', 'http-standard-headers'];

// Its server has no `tools/call`.
const ONLY_LISTED = 'json-schema-ref-no-deref';

// What the suite hands to a machine, as files: none of it may be seen in the list of processes.
const FILES = {
  client_secret: 'client-secret-file',
  private_key_pem: 'private-key-file',
  valid_jwt: 'workload-token-file',
  idp_id_token: 'idp-id-token-file',
};

function options(home, scenario, context, version) {
  const args = ['--debug', '--initialize-wait', '20'];
  if (version === LEGACY && NO_INITIALIZE.includes(scenario)) args.push('--protocol', 'modern');
  if (scenario === 'auth/basic-cimd') args.push('--client-metadata-url', METADATA_URL);
  if (context.client_id) args.push('--client-id', context.client_id);
  if (scenario.startsWith('auth/client-credentials')) args.push('--client-credentials');
  if (context.idp_issuer) args.push('--idp-issuer', context.idp_issuer, '--idp-client-id', context.idp_client_id);
  if (context.signing_algorithm) args.push('--signing-algorithm', context.signing_algorithm);
  for (const [name, option] of Object.entries(FILES).filter(([name]) => context[name])) {
    const file = join(home.folder, name);
    writeFileSync(file, context[name], { mode: 0o600 });
    args.push(`--${option}`, file);
  }
  return args;
}

// What a client can be asked for.
const CAPABILITIES = { elicitation: { form: { applyDefaults: true } }, roots: {}, sampling: {} };
const SAMPLE = { role: 'assistant', content: { type: 'text', text: 'text' }, model: 'none' };

// A value for each type of a JSON schema.
const VALUES = { number: 2, integer: 2, string: 'text', boolean: true, array: [], object: {} };

// The values that a form suggests, and some for the fields without.
function filledIn({ requestedSchema }) {
  const fields = Object.entries(requestedSchema.properties);
  const content = fields.map(([name, field]) => [name, field.default ?? VALUES[field.type]]);
  return { action: 'accept', content: Object.fromEntries(content) };
}

// Something for each field that a tool requires. A field named "schema" wants to see what became of another tool's.
function argumentsFor({ name, inputSchema: { properties = {}, required = [] } }, tools) {
  const schema = tools.find((tool) => tool.name !== name)?.inputSchema;
  const value = (field) => (field === 'schema' ? schema : VALUES[properties[field]?.type]);
  return Object.fromEntries(required.map((field) => [field, value(field) ?? null]));
}

// The calls that the scenario wants, or one of each tool.
function callsOf(tools, { toolCalls }) {
  if (scenario === ONLY_LISTED) return [];
  return toolCalls ?? tools.map((tool) => ({ name: tool.name, arguments: argumentsFor(tool, tools) }));
}

// Looks at all that the server says it has besides its tools.
async function lookAround(bridge) {
  if (bridge.capabilities.resources) {
    const { resources } = await bridge.request('resources/list', {});
    for (const { uri } of resources) await bridge.request('resources/read', { uri });
  }
  if (bridge.capabilities.prompts) {
    const { prompts } = await bridge.request('prompts/list', {});
    for (const { name } of prompts) await bridge.request('prompts/get', { name });
  }
}

async function converse(bridge, version, context) {
  bridge.answers['roots/list'] = () => ({ roots: [] });
  bridge.answers['sampling/createMessage'] = () => SAMPLE;
  const tools = await bridge.begin(version, CAPABILITIES);
  // There is a tool that wants to be called while another one waits for an answer.
  const between = tools.find(({ name }) => name.endsWith('_unrelated'));
  bridge.answers['elicitation/create'] = async (form) => {
    if (between) await bridge.call(between.name);
    return filledIn(form);
  };
  for (const { name, arguments: args } of callsOf(tools, context)) await bridge.call(name, args);
  await lookAround(bridge);
  await bridge.leave();
}

const [version, url] = process.argv.slice(2);
const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const home = new Home();
const bridge = home.bridge([url, ...options(home, scenario, context, version)]);
try {
  await converse(bridge, version, context);
} catch (wrong) {
  await bridge.kill();
  console.error(home.said);
  console.error(['browser:', ...home.visits].join('\n  '));
  console.error(wrong);
  process.exitCode = 1;
}
const leaked = [...SECRETS, ...Object.keys(FILES).map((name) => context[name])].filter((secret) => secret && home.said.includes(secret));
// Said on stdout, for run.mjs: there are scenarios that let the client fail.
for (const wrong of [...home.wrongs, ...leaked.map((secret) => `${secret} is on stderr`)]) {
  console.log(`WRONG: ${wrong}`);
  process.exitCode = 1;
}
home.remove();
