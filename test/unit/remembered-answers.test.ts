import assert from 'node:assert/strict';
import test from 'node:test';
import { RememberedAnswers } from '../../src/api/remembered-answers.ts';
import { limits } from '../../src/model/limits.ts';
import type { IdempotencyRecord } from '../../src/model/store.ts';

function record(key: string, body: string): IdempotencyRecord {
  const createdAt = '2026-11-23T10:00:00.000Z';
  return {
    caller: 'api:ci',
    key,
    requestHash: new Uint8Array(32),
    status: 200,
    headers: {},
    body,
    createdAt,
  };
}

test('answers are remembered up to so many, and up to so many bytes; the oldest are forgotten first', () => {
  const few = new RememberedAnswers();
  const most = limits.rememberedAnswersMax;
  for (let at = 0; at < most; at += 1) few.put(record(String(at), 'short'));
  assert.equal(few.find('api:ci', '0')?.body, 'short');
  few.put(record('one over', 'short'));
  assert.equal(few.find('api:ci', '0'), undefined);
  assert.equal(few.find('api:ci', '1')?.body, 'short');

  const large = new RememberedAnswers();
  const long = 'x'.repeat(limits.idempotencyBodyBytesMax);
  const fit = Math.floor(limits.rememberedBytesMax / (2 * long.length + 1000));
  for (let at = 0; at < fit; at += 1) large.put(record(String(at), long));
  assert.equal(large.find('api:ci', '0')?.body.length, long.length);
  // The same again takes no more room; another does.
  large.put(record(String(fit - 1), long));
  assert.equal(large.find('api:ci', '0')?.body.length, long.length);
  large.put(record('one over', long));
  assert.equal(large.find('api:ci', '0'), undefined);
  assert.equal(large.find('api:ci', 'one over')?.body.length, long.length);
  large.prune('2026-11-24T00:00:00.000Z');
  for (let at = 0; at < fit; at += 1) large.put(record(`new ${at}`, long));
  assert.equal(large.find('api:ci', 'new 0')?.body.length, long.length, 'what was pruned takes no room');
});
