// What a client of one era must see of a server of the other: from what the server says directly in its own era.
// It is written from the specifications of the revisions, not from the bridge.

import { KEY, LEGACY, MODERN } from './client.mjs';

/// The results that say how long they may be kept.
const CACHEABLE = new Set([
  'server/discover', 'tools/list', 'prompts/list', 'resources/list', 'resources/templates/list', 'resources/read',
]);

const without = (object, ...names) => (
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
);

// `_meta` without those keys, and no `_meta` if there is nothing else in it.
function withoutMeta(object, ...keys) {
  const { _meta, ...rest } = object;
  const left = without(_meta ?? {}, ...keys);
  return Object.keys(left).length === 0 ? rest : { ...rest, _meta: left };
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

// What is left of a notification of a subscription, or of one that has nothing to say.
function notification({ method, params }) {
  const left = withoutMeta(params ?? {}, `${KEY}subscriptionId`);
  return Object.keys(left).length === 0 ? { method } : { method, params: left };
}

function legacyTool(tool) {
  return tool.outputSchema && tool.outputSchema.type !== 'object' ? without(tool, 'outputSchema') : tool;
}

function legacyResult(method, result) {
  const old = withoutMeta(without(result, 'resultType', 'ttlMs', 'cacheScope'), `${KEY}serverInfo`);
  if ('structuredContent' in old && !isObject(old.structuredContent)) delete old.structuredContent;
  return method === 'tools/list' ? { ...old, tools: old.tools.map(legacyTool) } : old;
}

function initialized({ capabilities, instructions, _meta }) {
  return {
    protocolVersion: LEGACY,
    capabilities: without(capabilities, 'tasks'),
    serverInfo: _meta[`${KEY}serverInfo`],
    instructions,
  };
}

/// What a client of 2025-11-25 sees of a server of 2026-07-28.
export function toLegacy({ notes, told }) {
  const answer = (method, { result, error }) => (error ? { error } : { result: legacyResult(method, result) });
  const [{ answer: discovered }, ...rest] = notes;
  return {
    notes: [
      { method: 'initialize', asked: [], answer: { result: initialized(discovered.result) } },
      ...rest.map((note) => ({ ...note, answer: answer(note.method, note.answer) })),
    ],
    told: told.filter(({ method }) => method !== 'notifications/subscriptions/acknowledged').map(notification),
  };
}

function modernResult(method, result, serverInfo) {
  return {
    ...result,
    ...(method === 'tools/list' ? { tools: result.tools.map((tool) => without(tool, 'execution')) } : {}),
    ...(method === 'tools/call' && !result.content ? { content: [] } : {}),
    resultType: 'complete',
    ...(CACHEABLE.has(method) ? { ttlMs: 0, cacheScope: 'private' } : {}),
    _meta: { ...result._meta, [`${KEY}serverInfo`]: serverInfo },
  };
}

function modernError(error) {
  const { code, message, data } = error;
  if (code === -32002) return { ...error, code: -32602 };
  const reserved = code <= -32020 && code >= -32099;
  return reserved ? { code: -32603, message, data: { code, data } } : error;
}

function discovered({ capabilities, instructions, serverInfo }) {
  const result = { supportedVersions: [MODERN], capabilities: without(capabilities, 'tasks'), instructions };
  return modernResult('server/discover', result, serverInfo);
}

// The error that asks for the opening of addresses is a round of questions, and what comes next answers the same call.
function joined(notes) {
  return notes.reduce((all, note) => {
    const before = all.at(-1);
    if (before?.answer.error?.code !== -32042) return [...all, note];
    const questions = before.answer.error.data.elicitations.map((params) => ({ method: 'elicitation/create', params }));
    return [...all.slice(0, -1), { ...note, asked: [...before.asked, ...questions, ...note.asked] }];
  }, []);
}

/// What a client of 2026-07-28 sees of a server of 2025-11-25. Messages that belong to no request are left out: the
/// log of such a server, and what it asks by a timer.
export function toModern({ notes, told }) {
  const [{ answer: { result: opened } }, ...rest] = notes;
  const answer = (method, { result, error }) => (
    error ? { error: modernError(error) } : { result: modernResult(method, result, opened.serverInfo) }
  );
  return {
    notes: [
      { method: 'server/discover', asked: [], answer: { result: discovered(opened) } },
      ...joined(rest).map((note) => ({ ...note, answer: answer(note.method, note.answer) })),
    ],
    told: told.filter(({ method }) => !['notifications/message', 'notifications/elicitation/complete'].includes(method))
      .map(notification),
  };
}

/// What a client heard of the other era, without what has no counterpart there.
export function heard({ notes, told }) {
  const own = ({ method }) => method !== 'notifications/subscriptions/acknowledged';
  return { notes, told: told.filter(own).map(notification) };
}
