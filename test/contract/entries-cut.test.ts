import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { packedType } from '../../src/model/schema/entry-batch.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { filledMaps } from '../support/entries.ts';
import { streamOf } from './entries-fixture.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

interface Page {
  readonly items: readonly { readonly key: string }[];
  readonly next_cursor: string | null;
}

/** Puts keys, with values of zeros, into a map. */
async function fill(id: number, keys: readonly number[], valueSize: number): Promise<void> {
  const lines = keys.map((key) => Buffer.concat([u32(key), Buffer.alloc(valueSize)]));
  await agent.local
    .post(`/v1/maps/${id}/entries/batch`)
    .set('content-type', packedType)
    .send(Buffer.concat(lines))
    .expect(200);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** The keys of a map, read by streams of so many lines, each going on where the last ended. */
async function keysByStreams(
  id: number,
  limit: number,
  between: (keys: readonly string[]) => Promise<void> = async () => undefined,
  start?: string,
): Promise<readonly string[]> {
  const keys: string[] = [];
  let cursor: unknown = start;
  do {
    const from = typeof cursor === 'string' ? `&cursor=${encodeURIComponent(cursor)}` : '';
    const { lines, summary } = await streamOf(agent, id, `?format=raw&limit=${limit}${from}`);
    assert.ok(lines.length <= limit);
    keys.push(...lines.map((line) => String(JSON.parse(line).key)));
    cursor = summary['next_cursor'];
    await between(keys);
  } while (cursor !== null);
  return keys;
}

test('a map of large values in full buckets comes once, by pages and by streams of any size', async () => {
  const path = `${agent.bpffs.path}/large`;
  const flags = 64; // BPF_F_ZERO_SEED: the same buckets in each run
  const { id } = createMap(path, { type: 'hash', value: 65_536, entries: 256, flags });
  const numbers = Array.from({ length: 256 }, (_, key) => key);
  for (let at = 0; at < 256; at += 16) await fill(id, numbers.slice(at, at + 16), 65_536);
  const wanted = numbers.map((key) => u32(key).toString('hex')).sort();
  for (const limit of [5, 7, 64]) assert.deepEqual([...(await keysByStreams(id, limit))].sort(), wanted);
  const keys: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const from: object = cursor === '' ? {} : { cursor };
    const page = agent.local.get(`/v1/maps/${id}/entries`).query({ format: 'raw', limit: 5000, ...from });
    const { items, next_cursor }: Page = (await page.expect(200)).body;
    keys.push(...items.map(({ key }) => key));
    cursor = next_cursor;
  }
  assert.deepEqual(keys.sort(), wanted);
});

test('streams that are cut go on so that no key is missed or comes twice, whatever goes', async () => {
  const count = 20_000;
  using maps = await filledMaps('big', String(count));
  const id = maps.id('big');
  const removed = new Set<string>();
  const keys = await keysByStreams(id, 1000, async (given) => {
    const operations = given
      .slice(-1000)
      .filter((key, nth) => nth % 10 === 0 && !removed.has(key))
      .map((key) => ({ op: 'delete', key }));
    for (const { key } of operations) removed.add(key);
    await agent.local.post(`/v1/maps/${id}/entries/batch?format=raw`).send({ operations }).expect(200);
  });
  assert.equal(new Set(keys).size, keys.length, 'none twice');
  assert.equal(keys.length, count, 'none missed: each was there until it had come');
});

test('a dump in twenty cuts has every key that stays once, while others come and go', async () => {
  const stable = 100_000;
  using maps = await filledMaps('churn', 'hash', String(stable));
  const times = new Uint8Array(stable);
  let cuts = 0;
  let cursor: unknown;
  do {
    const from = typeof cursor === 'string' ? `&cursor=${encodeURIComponent(cursor)}` : '';
    const { lines, summary } = await streamOf(agent, maps.id('hash'), `?key_as=u32&limit=5000${from}`);
    for (const line of lines) {
      const key = Number.parseInt(line.slice('{"key":'.length), 10);
      if (key < stable) times[key] = (times[key] ?? 0) + 1;
    }
    assert.equal(summary['consistency'], 'per_bucket');
    cursor = summary['next_cursor'];
    cuts++;
  } while (cursor !== null);
  assert.ok(cuts > 20, `${cuts} cuts`);
  assert.equal(times.filter((count) => count !== 1).length, 0, 'none missed, none twice');
});

test('a made-up cursor of a dump is refused, and what is not divided is not read as halves', async () => {
  using maps = await filledMaps('big', '1000');
  const id = maps.id('big');
  const { id: array } = createMap(`${agent.bpffs.path}/array`, { type: 'array', value: 8, entries: 1000 });
  const forged = ['.0-9999999999', '.0-99999999999', '.0+.0', '.0-1+.0+.0', '+', '.0-', '-.0'];
  for (const [map, positions] of [
    [id, forged],
    [array, [...forged, '.0-512']],
  ] as const) {
    const { body } = await agent.local.get(`/v1/maps/${map}/entries?limit=1&format=raw`).expect(200);
    const mark = markOf(body.next_cursor);
    for (const position of positions) {
      const cursor = `${mark}${Buffer.from(position).toString('base64url')}`;
      const answer = await agent.local
        .get(`/v1/maps/${map}/entries`)
        .query({ cursor, format: 'raw' })
        .set('accept', 'application/x-ndjson');
      assert.equal(answer.status, 400, `${position}: ${answer.text.slice(0, 200)}`);
      assert.equal(JSON.parse(answer.text).code, 'bad_cursor');
    }
  }
});

test('the rest of a divided dump may be read in parts, which have no more than was asked for', async () => {
  using maps = await filledMaps('big', '100000');
  const id = maps.id('big');
  const { body } = await agent.local.get(`/v1/maps/${id}/entries?limit=1&format=raw`).expect(200);
  // 131,072 buckets, divided in the middle.
  const cursor = `${markOf(body.next_cursor)}${Buffer.from('.0-65536+00000100.0').toString('base64url')}`;
  const keys = await keysByStreams(id, 4000, undefined, cursor);
  assert.equal(keys.length, 100_000);
  assert.equal(new Set(keys).size, 100_000);
});

/** What a cursor begins with: it says of which list it is. */
function markOf(cursor: string): string {
  return cursor.slice(0, 8);
}
