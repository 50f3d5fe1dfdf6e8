// What a client of either era does with each of the two servers.

/// All that a client may be able to do. The servers show some tools only to those who can.
export const CAPABILITIES = { sampling: {}, elicitation: { form: {}, url: {} } };

/// What a model says.
export const said = (words) => ({
  model: 'm', role: 'assistant', content: { type: 'text', text: words }, stopReason: 'endTurn',
});

const ROOTS = { roots: [{ uri: 'file:///one', name: 'One' }, { uri: 'file:///zwei', name: 'Zwei ü' }] };

const CHANGES = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };

// Sends requests one after the other.
async function requests(client, table) {
  for (const [method, params] of table) await client.request(method, params);
}

// Calls tools one after the other.
const calls = (client, table) => requests(client, table.map(([name, args]) => (
  ['tools/call', { name, arguments: args ?? {} }]
)));

/// The server that speaks the revisions up to 2025-11-25.
export const EVERYTHING = {
  async 'tools'(client) {
    await client.begin(CAPABILITIES);
    await client.request('tools/list');
    await calls(client, [
      ['echo', { message: 'héllo 🌍 "\\\n\u2028 \u0001' }],
      ['echo', { message: '0123456789abcdef'.repeat(1 << 14) }],
      ['echo'],
      ['get-sum', { a: 1.5, b: 2 ** 40 }],
      ['get-tiny-image'],
      ['get-structured-content', { location: 'Chicago' }],
      ['get-annotated-message', { messageType: 'error', includeImage: true }],
      ['get-resource-links', { count: 4 }],
      ['get-resource-reference', { resourceType: 'Blob', resourceId: 7 }],
      ['no-such-tool'],
    ]);
  },

  async 'resources'(client) {
    await client.begin(CAPABILITIES);
    await requests(client, [
      ['resources/list'],
      ['resources/templates/list'],
      ['resources/read', { uri: 'demo://resource/static/document/architecture.md' }],
      ['resources/read', { uri: 'demo://resource/dynamic/text/3' }],
      ['resources/read', { uri: 'demo://resource/dynamic/blob/4' }],
      ['resources/read', { uri: 'demo://nothing' }],
    ]);
  },

  async 'prompts'(client) {
    await client.begin(CAPABILITIES);
    await requests(client, [
      ['prompts/list'],
      ['prompts/get', { name: 'simple-prompt' }],
      ['prompts/get', { name: 'args-prompt', arguments: { city: 'Zürich', state: 'ZH' } }],
      ['prompts/get', { name: 'resource-prompt', arguments: { resourceType: 'Text', resourceId: '2' } }],
      ['prompts/get', { name: 'args-prompt' }],
      ['prompts/get', { name: 'no-such-prompt' }],
    ]);
  },

  async 'completion'(client) {
    await client.begin(CAPABILITIES);
    const ref = { type: 'ref/prompt', name: 'completable-prompt' };
    const uri = 'demo://resource/dynamic/text/{resourceId}';
    const context = { arguments: { department: 'Sales' } };
    await requests(client, [
      ['completion/complete', { ref, argument: { name: 'department', value: 'S' } }],
      ['completion/complete', { ref, argument: { name: 'name', value: '' }, context }],
      ['completion/complete', { ref: { type: 'ref/resource', uri }, argument: { name: 'resourceId', value: '12' } }],
      ['completion/complete', { ref: { ...ref, name: 'none' }, argument: { name: 'name', value: '' } }],
    ]);
  },

  async 'elicitation'(client) {
    await client.begin(CAPABILITIES);
    const content = { name: 'Zoë', check: true, integer: 7 };
    for (const answer of [{ action: 'accept', content }, { action: 'decline' }, { action: 'cancel' }]) {
      client.answers['elicitation/create'] = () => answer;
      await client.call('trigger-elicitation-request');
    }
  },

  async 'elicitation of a URL'(client) {
    await client.begin(CAPABILITIES);
    const args = { url: 'https://example.com/?a=b', elicitationId: 'e-1' };
    for (const action of ['accept', 'decline', 'cancel']) {
      client.answers['elicitation/create'] = () => ({ action });
      await client.call('trigger-url-elicitation', args);
    }
  },

  async 'elicitation of a URL by an error'(client) {
    await client.begin(CAPABILITIES);
    client.answers['elicitation/create'] = () => ({ action: 'accept' });
    const args = { url: 'https://example.com/?a=b', elicitationId: 'e-1', errorPath: true };
    await client.call('trigger-url-elicitation', args);
    // A client of the older era opens the address by itself, and tries again.
    if (client.legacy) await client.call('trigger-url-elicitation', args);
  },

  async 'sampling'(client) {
    await client.begin(CAPABILITIES);
    client.answers['sampling/createMessage'] = ({ maxTokens }) => said(`within ${maxTokens} ü`);
    await client.call('trigger-sampling-request', { prompt: 'one', maxTokens: 7 });
    await client.call('trigger-sampling-request', { prompt: 'two "ü"', maxTokens: 8 });
  },

  async 'roots'(client, { listening }) {
    client.answers['roots/list'] = () => ROOTS;
    await client.begin({ ...CAPABILITIES, roots: {} });
    // The server asks by a timer as well. What it wants to know then is no part of a call.
    if (client.legacy) await client.heard('notifications/message');
    else await listening();
    await client.call('get-roots-list');
    await client.call('get-roots-list');
  },

  async 'logging'(client) {
    await client.begin(CAPABILITIES);
    await client.level('debug');
    await client.call('toggle-simulated-logging');
    if (client.legacy) await client.heard('notifications/message');
    await client.call('toggle-simulated-logging');
    await client.level('emergency');
    await client.call('echo', { message: 'a' });
  },

  async 'progress'(client) {
    await client.begin(CAPABILITIES);
    const args = { duration: 1, steps: 4 };
    await client.call('trigger-long-running-operation', args, { token: 'a token' });
    await client.call('trigger-long-running-operation', args, { token: 7 });
    await client.call('trigger-long-running-operation', { duration: 0.1, steps: 1 });
  },

  async 'cancellation'(client) {
    await client.begin(CAPABILITIES);
    const id = client.start('trigger-long-running-operation', { duration: 60, steps: 30 }, 'long');
    await client.heard('notifications/progress');
    client.cancel(id);
    await client.call('echo', { message: 'still there' });
  },

  async 'subscriptions'(client) {
    await client.begin(CAPABILITIES);
    const uri = 'demo://resource/dynamic/text/1';
    await client.watch({ ...CHANGES, resourceSubscriptions: [uri] });
    await client.call('toggle-subscriber-updates');
    await client.heard('notifications/resources/updated');
    await client.call('toggle-subscriber-updates');
    await client.call('gzip-file-as-resource', { name: 'a.gz', data: 'data:text/plain,hello' });
    await client.heard('notifications/resources/list_changed');
    await client.request('resources/read', { uri: 'demo://resource/session/a.gz' });
    await client.unwatch();
    await client.request('resources/list');
    if (client.legacy) await client.heard('notifications/message', 2);
  },
};

/// The server that speaks 2026-07-28.
export const SDK2 = {
  async 'tools'(client) {
    await client.begin(CAPABILITIES);
    await client.request('tools/list');
    await calls(client, [
      ['echo', { text: 'héllo 🌍 "\\\n\u2028 \u0001' }],
      ['echo', { text: '0123456789abcdef'.repeat(1 << 14) }],
      ['echo'],
      ['fail', { text: 'it did' }],
      ['throw'],
      ['sum', { a: 1.5, b: 2 ** 40 }],
      ['pairs'],
      ['media'],
      ['routed', { region: 'eu-west ü' }],
      ['no-such-tool'],
    ]);
  },

  async 'resources'(client) {
    await client.begin(CAPABILITIES);
    await requests(client, [
      ['resources/list'],
      ['resources/templates/list'],
      ['resources/read', { uri: 'note://one' }],
      ['resources/read', { uri: 'note://bytes' }],
      ['resources/read', { uri: 'page://alpha/7' }],
      ['resources/read', { uri: 'note://nothing' }],
    ]);
  },

  async 'prompts'(client) {
    await client.begin(CAPABILITIES);
    await requests(client, [
      ['prompts/list'],
      ['prompts/get', { name: 'greet', arguments: { name: 'Zoë' } }],
      ['prompts/get', { name: 'greet' }],
      ['prompts/get', { name: 'no-such-prompt' }],
    ]);
  },

  async 'completion'(client) {
    await client.begin(CAPABILITIES);
    const ref = { type: 'ref/prompt', name: 'greet' };
    const uri = 'page://{book}/{number}';
    await requests(client, [
      ['completion/complete', { ref, argument: { name: 'name', value: 'Ad' } }],
      ['completion/complete', { ref: { type: 'ref/resource', uri }, argument: { name: 'book', value: '' } }],
      ['completion/complete', { ref: { type: 'ref/resource', uri }, argument: { name: 'number', value: '1' } }],
      ['completion/complete', { ref: { ...ref, name: 'none' }, argument: { name: 'name', value: '' } }],
    ]);
  },

  async 'progress'(client) {
    await client.begin(CAPABILITIES);
    await client.call('steps', { steps: 3 }, { token: 'a token' });
    await client.call('steps', { steps: 2 }, { token: 7 });
    await client.call('steps', { steps: 2 });
  },

  async 'elicitation'(client) {
    await client.begin(CAPABILITIES);
    const content = { name: 'Zoë', size: 'l', count: 7, sure: false };
    for (const answer of [{ action: 'accept', content }, { action: 'decline' }, { action: 'cancel' }]) {
      client.answers['elicitation/create'] = () => answer;
      await client.call('ask-form');
      await client.request('prompts/get', { name: 'ask' });
      await client.request('resources/read', { uri: 'ask://form' });
    }
  },

  async 'elicitation of a URL'(client) {
    await client.begin(CAPABILITIES);
    for (const action of ['accept', 'decline', 'cancel']) {
      client.answers['elicitation/create'] = () => ({ action });
      await client.call('ask-url');
    }
  },

  async 'sampling'(client) {
    await client.begin(CAPABILITIES);
    client.answers['sampling/createMessage'] = ({ maxTokens }) => said(`within ${maxTokens} ü`);
    await client.call('ask-sample');
  },

  async 'roots'(client) {
    client.answers['roots/list'] = () => ROOTS;
    await client.begin({ ...CAPABILITIES, roots: {} });
    await client.call('ask-roots');
  },

  async 'several questions at once and one after the other'(client) {
    const content = { name: 'Zoë' };
    client.answers['roots/list'] = () => ROOTS;
    client.answers['sampling/createMessage'] = () => said('ü');
    client.answers['elicitation/create'] = ({ mode }) => ({ action: 'accept', ...(mode === 'url' ? {} : { content }) });
    await client.begin({ ...CAPABILITIES, roots: {} });
    await client.call('ask-all');
    await client.call('ask-twice');
  },

  async 'logging'(client) {
    await client.begin(CAPABILITIES);
    await client.call('log');
    await client.level('warning');
    await client.call('log');
    await client.level('debug');
    await client.call('log');
  },

  async 'cancellation'(client) {
    await client.begin(CAPABILITIES);
    const id = client.start('hang', {}, 'long');
    await client.heard('notifications/progress');
    client.cancel(id);
    await client.call('cancelled');
  },

  async 'subscriptions'(client) {
    await client.begin(CAPABILITIES);
    await client.watch({ ...CHANGES, resourceSubscriptions: ['note://one', 'page://alpha/7'] });
    for (const [at, uri] of ['note://one', 'page://alpha/7'].entries()) {
      await client.call('announce', { uri });
      await client.heard('notifications/resources/updated', at + 1);
      await client.heard('notifications/resources/list_changed', at + 1);
      await client.heard('notifications/prompts/list_changed', at + 1);
      await client.heard('notifications/tools/list_changed', at + 1);
    }
    await client.call('announce', { uri: 'note://bytes' });
    await client.heard('notifications/tools/list_changed', 3);
    await client.heard('notifications/prompts/list_changed', 3);
    await client.heard('notifications/resources/list_changed', 3);
    await client.unwatch();
    await client.call('echo', { text: 'a' });
  },
};

/// What needs no server that remembers anything: the SDK serves older clients so, over HTTP.
export const STATELESS = ['tools', 'resources', 'prompts', 'completion', 'progress'];
