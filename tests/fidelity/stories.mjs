// What has no counterpart in the other era: what a client sees there is told here.

import assert from 'node:assert/strict';

import { KEY, LEGACY, LegacyClient, MODERN, ModernClient } from './client.mjs';
import { CAPABILITIES, said } from './scenarios.mjs';

const QUESTION = { action: 'accept', content: { name: 'Zoë', check: true } };

const text = ({ result }) => result.content[0].text;

// The error of a request, which must have that code.
async function refused(answer, code) {
  const { error, result } = await answer;
  assert.equal(error?.code, code, JSON.stringify(error ?? result));
  return error;
}

const legacy = {
  async 'the versions'(client) {
    const params = { capabilities: {}, clientInfo: { name: 'a', version: '1' } };
    const { result } = await client.ask('initialize', { ...params, protocolVersion: '2025-06-18' });
    assert.equal(result.protocolVersion, '2025-06-18');
  },

  async 'a version that nobody knows'(client) {
    const params = { capabilities: {}, clientInfo: { name: 'a', version: '1' } };
    const { result } = await client.ask('initialize', { ...params, protocolVersion: '1999-01-01' });
    assert.equal(result.protocolVersion, LEGACY);
  },

  async 'what only the older era has'(client) {
    await client.begin(CAPABILITIES);
    assert.deepEqual((await client.ask('ping')).result, {});
    await refused(client.ask('logging/setLevel', { level: 'loud' }), -32602);
    await refused(client.ask('resources/subscribe', {}), -32602);
    await refused(client.ask('tasks/list', {}), -32601);
    await refused(client.ask('no/such/method', {}), -32601);
    client.send({ method: 'notifications/roots/list_changed' });
    const call = { name: 'echo', arguments: { text: 'a' }, task: { ttl: 1 } };
    assert.equal(text(await client.ask('tools/call', call)), 'a');
  },

  async 'a client that cannot be asked'(client) {
    await client.begin({});
    for (const [key, capability] of [['form', 'elicitation'], ['sample', 'sampling'], ['roots', 'roots']]) {
      const { message } = await refused(client.ask('tools/call', { name: `ask-${key}`, arguments: {} }), -32603);
      assert.ok(message.includes(capability), message);
    }
  },

  async 'a client that can be asked by forms only'(client) {
    client.answers['elicitation/create'] = () => ({ action: 'decline' });
    await client.begin({ elicitation: {} });
    assert.equal(text(await client.call('ask-form')), '{"form":{"action":"decline"}}');
    const { message } = await refused(client.ask('tools/call', { name: 'ask-url', arguments: {} }), -32603);
    assert.ok(message.includes('elicitation'), message);
  },

  async 'a client that answers with errors'(client) {
    await client.begin({ ...CAPABILITIES, roots: {} });
    assert.equal(text(await client.call('ask-form')), '{"form":{"action":"cancel"}}');
    for (const name of ['ask-sample', 'ask-roots']) assert.equal((await client.call(name)).result.isError, true);
    const { result } = await client.request('prompts/get', { name: 'ask' });
    assert.equal(result.messages[0].content.text, '{"form":{"action":"cancel"}}');
  },

  async 'many questions at a time'(client) {
    client.answers['sampling/createMessage'] = () => said('ü');
    await client.begin(CAPABILITIES);
    const all = await Promise.all(Array.from({ length: 20 }, () => client.call('ask-sample')));
    for (const answer of all) assert.deepEqual(JSON.parse(text(answer)), { sample: said('ü') });
  },

  async 'a subscription that grows and shrinks'(client) {
    const subscribe = async (what, uri) => {
      const { result } = await client.ask(`resources/${what}`, { uri });
      assert.deepEqual(result, {});
    };
    await client.begin(CAPABILITIES);
    await subscribe('subscribe', 'note://one');
    await subscribe('subscribe', 'note://bytes');
    for (const uri of ['note://one', 'note://bytes']) await client.call('announce', { uri });
    await client.heard('notifications/resources/updated', 2);
    await subscribe('unsubscribe', 'note://one');
    for (const uri of ['note://one', 'note://bytes']) await client.call('announce', { uri });
    const updates = await client.heard('notifications/resources/updated', 3);
    assert.deepEqual(updates.map(({ params }) => params.uri), ['note://one', 'note://bytes', 'note://bytes']);
    // One of each list for each announcement, however many streams there were.
    const changes = await client.heard('notifications/tools/list_changed', 4);
    assert.equal(changes.length, 4);
  },
};

// Sends the first round of a call, which must end with questions.
async function asked(client, name, args = {}) {
  const { result } = await client.ask('tools/call', { name, arguments: args, _meta: client.meta });
  assert.equal(result?.resultType, 'input_required');
  assert.equal(typeof result.requestState, 'string');
  return result;
}

// The next round, with the same answer to all questions.
function retry(client, name, args, { inputRequests, requestState }, answer) {
  const inputResponses = Object.fromEntries(Object.keys(inputRequests).map((key) => [key, answer]));
  return client.ask('tools/call', { name, arguments: args, inputResponses, requestState, _meta: client.meta });
}

const modern = {
  async 'what only the older era has'(client) {
    await client.begin(CAPABILITIES);
    const methods = ['ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe', 'tasks/list'];
    for (const method of methods) {
      await refused(client.ask(method, { uri: 'demo://x', level: 'debug', _meta: client.meta }), -32601);
    }
  },

  async 'a version that nobody knows'(client) {
    await client.begin(CAPABILITIES);
    const _meta = { ...client.meta, [`${KEY}protocolVersion`]: '2099-01-01' };
    const { data } = await refused(client.ask('tools/list', { _meta }), -32022);
    assert.deepEqual(data, { supported: [MODERN], requested: '2099-01-01' });
  },

  async 'a request that does not say what its client can do'(client) {
    await client.begin(CAPABILITIES);
    const { [`${KEY}clientCapabilities`]: _, ..._meta } = client.meta;
    await refused(client.ask('tools/list', { _meta }), -32602);
  },

  async 'a state that nobody gave out'(client) {
    await client.begin(CAPABILITIES);
    const made = { inputRequests: { a: {} }, requestState: 'made up' };
    await refused(retry(client, 'trigger-elicitation-request', {}, made, QUESTION), -32602);
  },

  async 'a state of another call'(client) {
    await client.begin(CAPABILITIES);
    const args = { prompt: 'a', maxTokens: 7 };
    const round = await asked(client, 'trigger-sampling-request', args);
    await refused(retry(client, 'trigger-sampling-request', { ...args, prompt: 'b' }, round, said('a')), -32602);
  },

  async 'a state that is used twice'(client) {
    await client.begin(CAPABILITIES);
    const round = await asked(client, 'trigger-elicitation-request');
    const { result } = await retry(client, 'trigger-elicitation-request', {}, round, QUESTION);
    assert.equal(result.resultType, 'complete');
    await refused(retry(client, 'trigger-elicitation-request', {}, round, QUESTION), -32602);
  },

  async 'calls that are answered in another order'(client) {
    await client.begin(CAPABILITIES);
    const calls = [1, 2, 3].map((maxTokens) => ({ prompt: 'a', maxTokens }));
    const rounds = await Promise.all(calls.map((args) => asked(client, 'trigger-sampling-request', args)));
    for (const at of [2, 0, 1]) {
      const { result } = await retry(client, 'trigger-sampling-request', calls[at], rounds[at], said(`answer ${at}`));
      assert.ok(text({ result }).includes(`answer ${at}`), text({ result }));
    }
  },

  async 'a later request whose client cannot be asked'(client) {
    await client.begin(CAPABILITIES);
    const _meta = { ...client.meta, [`${KEY}clientCapabilities`]: {} };
    const call = { name: 'trigger-elicitation-request', arguments: {}, _meta };
    const { result, error } = await client.ask('tools/call', call);
    assert.ok(error || result.resultType === 'complete', JSON.stringify(result));
    assert.ok(!JSON.stringify(result ?? error).includes('User provided'));
  },
};

const story = (server, Client, stories) => Object.entries(stories).map(([name, story]) => {
  const [client, other] = Client === LegacyClient ? [LEGACY, MODERN] : [MODERN, LEGACY];
  return [`${client} client, ${other} server: ${name}`, { server, Client, story }];
});

export const STORIES = Object.fromEntries([
  ...story('modern', LegacyClient, legacy), ...story('everything', ModernClient, modern),
]);
