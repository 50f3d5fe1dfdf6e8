// Compares what two clients heard.

import assert from 'node:assert/strict';

import { heard } from './mapping.mjs';

// A server writes the ids of sessions into texts, and there is no session on stdio. It also makes up ids of questions.
const SESSION = /(?: - SessionId |from session | for session )(?:[0-9a-f-]{36}|undefined)/g;
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

const plain = (text) => text.replace(SESSION, '').replace(UUID, 'a UUID');

// What a line is sorted by: answers by their ids. Others stay in the order in which they came among their like, for
// they come on several streams.
function order(line) {
  const { id, method = '', params } = JSON.parse(line);
  return JSON.stringify([method, id ?? null, params?.progressToken ?? null]);
}

const sorted = (lines) => lines.toSorted((a, b) => order(a).localeCompare(order(b))).map(plain);

/// The lines are the same, byte for byte.
export function byteForByte(got, wanted) {
  same(sorted(got.lines), sorted(wanted.lines));
}

// An object whose members are in order. What their values look like is not touched.
const inOrder = (object) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));

// The texts that must be equal. What is added to a result may stand anywhere in it; all within it is as it was.
function texts({ notes, told }) {
  const asked = ({ method, params }) => JSON.stringify({ method, params });
  const noted = notes.map((note) => JSON.stringify({
    method: note.method,
    asked: [...new Set(note.asked.map(asked))].sort(),
    error: note.answer.error && inOrder(note.answer.error),
    result: note.answer.result && inOrder({
      ...note.answer.result,
      ...(note.answer.result._meta ? { _meta: inOrder(note.answer.result._meta) } : {}),
    }),
  }));
  const lines = told.map((message) => JSON.stringify(message));
  return [...noted, ...sorted(lines)].map(plain);
}

// Questions without the id that only the older era gives them.
const withoutIds = (notes) => notes.map((note) => ({
  ...note,
  asked: note.asked.map(({ method, params }) => {
    const { elicitationId, ...rest } = params ?? {};
    return { method, params: params && rest };
  }),
}));

/// What a client heard is what the mapping says.
export function across(got, wanted) {
  const { notes, told } = heard(got);
  if (got.legacy) {
    const urls = notes.flatMap(({ asked }) => asked).filter(({ params }) => params?.mode === 'url');
    for (const { params } of urls) assert.ok(params.elicitationId.length > 0);
  } else {
    assert.ok(!JSON.stringify(notes.map(({ asked }) => asked)).includes('elicitationId'));
  }
  same(texts({ notes: withoutIds(notes), told }), texts({ ...wanted, notes: withoutIds(wanted.notes) }));
}

// Shows the lines that differ and no others.
function same(got, wanted) {
  const missing = wanted.filter((line) => !got.includes(line));
  const surplus = got.filter((line) => !wanted.includes(line));
  const short = (line) => (line.length > 2000 ? `${line.slice(0, 2000)} ...` : line);
  assert.deepEqual({ missing: missing.map(short), surplus: surplus.map(short) }, { missing: [], surplus: [] });
  assert.deepEqual(got, wanted);
}
