// A server on the official SDK that speaks 2026-07-28: `node sdk2.mjs stdio|http [what happens to older clients]`.
// Nothing in it depends on time, chance or the way that it is asked.

import { createServer } from 'node:http';

import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  completable, createMcpHandler, fromJsonSchema, inputRequired, McpServer, ResourceTemplate,
} from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

const [form, legacy] = process.argv.slice(2);

const text = (text) => ({ content: [{ type: 'text', text }] });
const answers = (responses) => text(JSON.stringify(responses));

/// What a client must give back as it is.
const STATE = 'round 1: "ü"\\ 😀\n\u0001 =';

const FORM = {
  type: 'object',
  properties: {
    name: { type: 'string', title: 'Name', minLength: 1 },
    size: { type: 'string', oneOf: [{ const: 's', title: 'Small' }, { const: 'l', title: 'Large' }], default: 's' },
    count: { type: 'integer', minimum: 0, maximum: 10 },
    sure: { type: 'boolean', default: true },
  },
  required: ['name'],
};

/// What the server can ask for.
const questions = {
  form: () => inputRequired.elicit({ message: 'Who are you?', requestedSchema: FORM }),
  url: () => inputRequired.elicitUrl({ message: 'Open this, please', url: 'https://example.com/sign?a=b&c=%20' }),
  sample: () => inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: 'Say something ü' } }],
    systemPrompt: 'Be brief', maxTokens: 7, temperature: 0.5, stopSequences: ['.'],
  }),
  roots: () => inputRequired.listRoots(),
};

// Settled when the call that hangs is cancelled; one at a time.
let hanging;
let cancelled;
function watch() {
  hanging = new Promise((resolve) => (cancelled = resolve));
}
watch();

// The result of a handler that asks these questions, and then says what it was told.
function asking(keys, done, ctx) {
  const { inputResponses } = ctx.mcpReq;
  if (inputResponses && keys.every((key) => key in inputResponses)) return done(inputResponses);
  return inputRequired({ inputRequests: Object.fromEntries(keys.map((key) => [key, questions[key]()])) });
}

function addTools(server, announce) {
  const strings = z.object({ text: z.string() });
  server.registerTool('echo', {
    title: 'Echo', description: 'Says it again', inputSchema: strings, annotations: { readOnlyHint: true },
  }, ({ text: words }) => text(words));
  server.registerTool('fail', { inputSchema: strings }, ({ text: words }) => ({ ...text(words), isError: true }));
  server.registerTool('throw', {}, () => {
    throw new Error('thrown "ü"');
  });
  server.registerTool('sum', {
    inputSchema: z.object({ a: z.number(), b: z.number() }), outputSchema: z.object({ sum: z.number() }),
  }, ({ a, b }) => ({ ...text(`${a + b}`), structuredContent: { sum: a + b } }));
  server.registerTool('pairs', { outputSchema: fromJsonSchema({ type: 'array', items: { type: 'integer' } }) },
    () => ({ ...text('[1,2]'), structuredContent: [1, 2] }));
  server.registerTool('media', {}, () => ({
    content: [
      { type: 'image', data: 'AAAA', mimeType: 'image/png', annotations: { audience: ['user'], priority: 0.5 } },
      { type: 'audio', data: 'AAAA', mimeType: 'audio/wav' },
      { type: 'resource_link', uri: 'note://one', name: 'one' },
      { type: 'resource', resource: { uri: 'note://one', text: 'One' } },
    ],
    _meta: { 'example.com/own': 1 },
  }));
  server.registerTool('routed', {
    inputSchema: fromJsonSchema({
      type: 'object',
      properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
      required: ['region'],
    }),
  }, ({ region }, ctx) => text(`to ${region}`));
  server.registerTool('steps', { inputSchema: z.object({ steps: z.number() }) }, async ({ steps }, ctx) => {
    const { progressToken } = ctx.mcpReq._meta ?? {};
    for (let progress = 1; progressToken !== undefined && progress <= steps; progress += 1) {
      const params = { progressToken, progress, total: steps, message: `step ${progress}` };
      await ctx.mcpReq.notify({ method: 'notifications/progress', params });
    }
    return text(`${steps} steps`);
  });
  server.registerTool('hang', {}, (ctx) => new Promise((resolve) => {
    ctx.mcpReq.signal.addEventListener('abort', () => {
      cancelled();
      resolve(text('cancelled'));
    });
    const { progressToken } = ctx.mcpReq._meta;
    ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
  }));
  server.registerTool('cancelled', {}, async () => {
    await hanging;
    watch();
    return text('it was');
  });
  server.registerTool('log', {}, async (ctx) => {
    for (const level of ['debug', 'info', 'warning', 'error']) await ctx.mcpReq.log(level, { level, ü: [1] }, 'own');
    return text('logged');
  });
  server.registerTool('announce', { inputSchema: z.object({ uri: z.string() }) }, ({ uri }) => {
    announce(server, uri);
    return text('announced');
  });
}

function addQuestions(server) {
  for (const key of Object.keys(questions)) {
    server.registerTool(`ask-${key}`, {}, (ctx) => asking([key], answers, ctx));
  }
  server.registerTool('ask-all', {}, (ctx) => asking(Object.keys(questions), answers, ctx));
  server.registerTool('ask-twice', {}, (ctx) => {
    const { inputResponses } = ctx.mcpReq;
    const state = ctx.mcpReq.requestState();
    if (state === STATE) return answers(inputResponses ?? {});
    if (inputResponses === undefined) return inputRequired({ inputRequests: { first: questions.form() } });
    return inputRequired({ inputRequests: { second: questions.sample() }, requestState: STATE });
  });
  server.registerPrompt('ask', {}, (ctx) => asking(['form'], (responses) => ({
    messages: [{ role: 'user', content: { type: 'text', text: JSON.stringify(responses) } }],
  }), ctx));
  server.registerResource('ask', 'ask://form', {}, (uri, ctx) => asking(['form'], (responses) => ({
    contents: [{ uri: uri.href, text: JSON.stringify(responses) }],
  }), ctx));
}

function addResources(server) {
  server.registerResource('one', 'note://one', { title: 'One', mimeType: 'text/plain' }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'Öne\n' }],
  }));
  server.registerResource('bytes', 'note://bytes', { size: 3, cacheHint: { ttlMs: 5000, cacheScope: 'public' } },
    (uri) => ({ contents: [{ uri: uri.href, blob: 'AAAA' }] }));
  const template = new ResourceTemplate('page://{book}/{number}', {
    list: undefined,
    complete: { book: (value) => ['alpha', 'beta'].filter((book) => book.startsWith(value)) },
  });
  server.registerResource('page', template, { description: 'A page' }, (uri, { book, number }) => ({
    contents: [{ uri: uri.href, text: `${book}, page ${number}` }],
  }));
}

function addPrompts(server) {
  const name = completable(z.string(), (value) => ['Ada', 'Adam', 'Zoë'].filter((name) => name.startsWith(value)));
  server.registerPrompt('greet', { title: 'Greet', argsSchema: z.object({ name }) }, ({ name }) => ({
    description: 'A greeting',
    messages: [{ role: 'user', content: { type: 'text', text: `Hello, ${name}!` } }],
  }));
}

// A server of its own for each request over HTTP, and for the process on stdio.
const factory = (announce) => () => {
  const changes = { listChanged: true };
  const server = new McpServer({ name: 'sdk2', title: 'SDK 2', version: '1.0.0' }, {
    capabilities: { tools: changes, prompts: changes, resources: { ...changes, subscribe: true }, logging: {} },
    instructions: 'Ask "me".\nÜberall.',
    cacheHints: { 'tools/list': { ttlMs: 1000, cacheScope: 'public' } },
  });
  addTools(server, announce);
  addQuestions(server);
  addResources(server);
  addPrompts(server);
  return server;
};

function onStdio({ server }, uri) {
  server.sendToolListChanged();
  server.sendPromptListChanged();
  server.sendResourceListChanged();
  server.sendResourceUpdated({ uri });
}

if (form === 'stdio') {
  serveStdio(factory(onStdio), { legacy });
} else {
  const handler = createMcpHandler(factory((_, uri) => {
    handler.notify.toolsChanged();
    handler.notify.promptsChanged();
    handler.notify.resourcesChanged();
    handler.notify.resourceUpdated(uri);
  }), { legacy });
  const server = createServer(toNodeHandler(handler));
  server.listen(0, '127.0.0.1', () => console.error(`listening at ${server.address().port}`));
}
