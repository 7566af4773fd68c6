import assert from 'node:assert/strict';
import test from 'node:test';
import fastCheck from 'fast-check';
import { type TSchema, Type } from 'typebox';
import { complaintsAbout } from '../../src/api/complaints.ts';
import { HolderQuestions } from '../../src/api/holder-questions.ts';
import { negotiate } from '../../src/api/negotiate.ts';
import { rewriteTarget } from '../../src/api/target.ts';
import { thenQuery } from '../../src/api/then.ts';
import { toOpenMetrics } from '../../src/metrics/openmetrics.ts';
import { PinfoldError } from '../../src/model/error.ts';
import { holderGraph, whyDocument } from '../../src/model/holder/document.ts';
import type { PinnableKind } from '../../src/model/kind.ts';
import { limits } from '../../src/model/limits.ts';
import { parseUrlPath, urlOf } from '../../src/model/path.ts';
import { ClaimRequest } from '../../src/model/schema/claim.ts';
import { BatchRequest, PinRequest } from '../../src/model/schema/request.ts';
import { reading } from '../support/holder-facts.ts';
import { testSeed } from '../support/seed.ts';

const seed = testSeed();
const lists = ['application/json', 'application/x-ndjson'] as const;

test('the media type with the highest weight is chosen, the first of equals', () => {
  const chosen: readonly (readonly [string | undefined, string])[] = [
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    ['application/x-ndjson', 'application/x-ndjson'],
    ['Application/X-NDJSON; charset=utf-8', 'application/x-ndjson'],
    ['application/json;q=0.5, application/x-ndjson;q=0.9', 'application/x-ndjson'],
    ['text/html, */*;q=0.1', 'application/json'],
    ['application/json;q=0, */*', 'application/x-ndjson'],
  ];
  for (const [accept, type] of chosen) assert.equal(negotiate(accept, lists), type, accept);
});

test('an Accept header that allows nothing that can be given is 406', () => {
  for (const accept of [
    'text/html',
    'application/json;q=0, application/x-ndjson;q=0',
    '',
    'garbage',
    '*/*;q=2',
  ]) {
    assert.throws(() => negotiate(accept, lists), { code: 'not_acceptable' }, accept);
  }
});

test('what is wrong with a body is said of the form that was meant, and of no other', () => {
  const told = (schema: TSchema, body: unknown) =>
    [...complaintsAbout(schema, body)].map(({ at, detail }) => `${at} ${detail}`);
  const cases: readonly (readonly [TSchema, unknown, readonly string[]])[] = [
    [PinRequest, { source: { pid: 1, fd: 'x' } }, ['/source/fd must be integer']],
    [PinRequest, { source: { pin: 'x', pid: 1 } }, ['/source/pid is not known here']],
    [PinRequest, { source: { kind: 'm', id: 5 } }, ['/source/kind must be one of map, program, link']],
    [PinRequest, { source: {} }, ['/source must have kind and id, or pin, or pin_bytes, or pid and fd']],
    [PinRequest, { source: 5, owner: 5 }, ['/source must be object', '/owner must be string or null']],
    [PinRequest, { source: { pin: 'x' }, 'a/~': 1 }, ['/a~1~0 is not known here']],
    [ClaimRequest, { pins: ['x', { path_bytes: 5 }] }, ['/pins/1/path_bytes must be string']],
    [
      ClaimRequest,
      { pins: [7, {}] },
      ['/pins/0 must be string or object', '/pins/1 must have path, or path_bytes'],
    ],
  ];
  for (const [schema, body, expected] of cases) assert.deepEqual(told(schema, body), expected);
  const nine = Array.from({ length: 9 }, () => ({ op: 'unpin', path: 'x' }));
  const last = { operations: [...nine, { op: 'rmdir', path: 'x', mode: '0700' }] };
  assert.deepEqual(told(BatchRequest, last), ['/operations/9/mode is not known here']);
  const many = { operations: Array.from({ length: limits.batchOperationsMax + 1 }, () => 5) };
  assert.equal(told(BatchRequest, many).length, 1, 'of too many, no one is looked at');
});

test('a text of the wrong form is answered by what it should look like, not by a pattern', () => {
  const told = (schema: TSchema, value: unknown) => [...complaintsAbout(schema, value)];
  const at = 'must have the form of 2026-11-22T10:00:00.000Z or seq:4711';
  for (const text of ['2d', '', 'seq:-1', 'seq:1e3', '2024-02-30T00:00:00Z', '2026-11-22', '\u202e'])
    assert.deepEqual(told(Type.Object(thenQuery), { at: text }), [{ at: '/at', detail: at }]);
  const lease = 'must have the form of 30s or 10m or 2h';
  assert.deepEqual(told(ClaimRequest, { lease: '2w' }), [{ at: '/lease', detail: lease }]);
  assert.deepEqual(told(ClaimRequest, { lease: 5 }), [{ at: '/lease', detail: 'must be string or null' }]);
});

test('equal questions about holders share a reading that begins after them; many are refused', async () => {
  const read: string[] = [];
  const note = (kind: PinnableKind, id: number) => {
    read.push(`${kind} ${id}`);
    if (id === 13) throw new PinfoldError('object_not_found', { detail: 'There is none.' });
    return reading({ kind, id }, {});
  };
  const questions = new HolderQuestions({
    holders: (kind, id) => holderGraph(note(kind, id)),
    why: (kind, id) => whyDocument(note(kind, id)),
  });
  const first = [questions.why('map', 5), questions.why('map', 5), questions.holders('map', 5)];
  assert.deepEqual(read, [], 'nothing is read before everybody else had a turn');
  assert.equal(new Set(await Promise.all(first)).size, 2);
  assert.deepEqual(read.splice(0), ['map 5', 'map 5']);
  await questions.why('map', 5);
  assert.deepEqual(read.splice(0), ['map 5'], 'an answer that was given is not given again');
  await assert.rejects(questions.why('map', 13), { code: 'object_not_found' });
  const many = Array.from({ length: limits.holderQuestionsMax }, (_, id) => questions.why('link', id + 100));
  const equal = questions.why('link', 100);
  await assert.rejects(questions.holders('link', 100), { code: 'too_many_requests' });
  await Promise.all([...many, equal]);
  await questions.holders('link', 100);
  assert.equal(read.length, 1 + limits.holderQuestionsMax + 1);
});

test('only the paths of pins and directories are rewritten, and their queries stay', () => {
  assert.equal(rewriteTarget('/v1/pins?prefix=a/b'), '/v1/pins?prefix=a/b');
  assert.equal(rewriteTarget('/v1/maps/7'), '/v1/maps/7');
  assert.equal(rewriteTarget('/v1/pins/a/b?mount=0:39'), '/v1/pins/a%2Fb?mount=0:39');
  assert.equal(rewriteTarget('/v1/directories/%FF'), '/v1/directories/%25FF');
});

test('every path of bytes comes out of the router as it went into the URL', () => {
  const name = fastCheck
    .uint8Array({ minLength: 1, maxLength: 20 })
    .map((bytes) =>
      Buffer.from(bytes.map((byte) => (byte === 0 || byte === 46 || byte === 47 ? 255 : byte))),
    );
  const path = fastCheck
    .array(name, { minLength: 1, maxLength: 5 })
    .map((names) => names.map((bytes) => bytes.toString('latin1')).join('/'));
  fastCheck.assert(
    fastCheck.property(path, (bytes) => {
      const encoded = [...bytes].map((char) =>
        char === '/' ? '/' : `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
      );
      const parsed = parseUrlPath(encoded.join(''));
      const target = rewriteTarget(`/v1/pins/${urlOf(parsed)}?dry_run=true`);
      const [, segment = ''] = /^\/v1\/pins\/([^/?]*)\?dry_run=true$/.exec(target) ?? [];
      assert.equal(parseUrlPath(decodeURIComponent(segment)), bytes);
    }),
    { seed, numRuns: 2000 },
  );
});

test('bytes above 127 that a client sends bare are kept too', () => {
  const target = rewriteTarget('/v1/pins/\u00c3\u00a9');
  assert.equal(parseUrlPath(decodeURIComponent(target.slice('/v1/pins/'.length))), '\u00c3\u00a9');
});

test('OpenMetrics names the family of a counter without _total, and ends with EOF', () => {
  const prometheus =
    '# HELP a_total A.\n# TYPE a_total counter\na_total{x="y"} 1\n\n# HELP b B.\n# TYPE b gauge\nb 2\n';
  const openMetrics =
    '# HELP a A.\n# TYPE a counter\na_total{x="y"} 1\n# HELP b B.\n# TYPE b gauge\nb 2\n# EOF\n';
  assert.equal(toOpenMetrics(prometheus), openMetrics);
});
