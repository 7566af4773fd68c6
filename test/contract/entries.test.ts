import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpus } from 'node:os';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { entriesObject, filledMaps } from '../support/entries.ts';
import { bpftoolItems, type Entry, entriesOf, pattern, streamOf } from './entries-fixture.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

for (const count of [0, 1, 5, 64]) {
  test(`format=bpftool is what bpftool prints, with and without BTF, ${count} entries`, async () => {
    using maps = await filledMaps('make', entriesObject(), String(count));
    for (const name of maps.names) {
      const { lines, summary } = await streamOf(agent, maps.id(name), '?format=bpftool');
      assert.deepEqual([...lines].sort(), bpftoolItems(maps.id(name)), name);
      assert.equal(summary['complete'], true, name);
    }
  });
}

test('typed values are what a C program wrote, in hashes, arrays and frozen maps', async () => {
  using maps = await filledMaps('make', entriesObject(), '40');
  for (const [name, length] of [
    ['b_hash', 40],
    ['b_lru', 40],
    ['b_array', 16],
  ] as const) {
    const entries = [...(await entriesOf(agent, maps.id(name)))].sort(byNumber);
    assert.deepEqual(
      entries,
      Array.from({ length }, (_, i) => ({ key: i, value: sampleOf(i) })),
      name,
    );
  }
  const frozen = [...(await entriesOf(agent, maps.id('b_frozen')))];
  assert.equal(frozen.length, 40);
  for (const { key, value } of frozen) {
    const { port, proto } = Object(key);
    assert.equal(proto, 0);
    assert.equal(value, String(pattern(port, 8).readBigUInt64LE(0)));
  }
});

test('per-CPU values come by CPU, without the bytes the kernel pads them with', async () => {
  using maps = await filledMaps('make', entriesObject(), '9');
  const possible = agent.running.kernel.facts.cpus.possible;
  assert.ok(possible >= cpus().length);
  for (const name of ['b_pcpu_hash', 'b_lru_pcpu', 'b_pcpu_array']) {
    const entries = [...(await entriesOf(agent, maps.id(name)))].sort(byNumber).slice(0, 9);
    for (const [i, { key, values }] of entries.entries()) {
      const bytes = pattern(i, 8 * possible);
      const expected = Array.from({ length: possible }, (_, cpu) => ({
        cpu,
        value: { port: bytes.readUInt16LE(8 * cpu), proto: bytes[8 * cpu + 2] },
      }));
      assert.deepEqual({ key, values }, { key: i, values: expected }, name);
    }
  }
  const raw = await entriesOf(agent, maps.id('twin_percpu_hash'));
  assert.ok(raw.every(({ values }) => values?.every(({ value }) => String(value).length === 2 * 5)));
});

test('prefixes of a trie are written as addresses, and only exactly that prefix is found', async () => {
  using maps = await filledMaps('make', entriesObject(), '6');
  for (const name of ['b_lpm', 'twin_lpm_trie']) {
    const id = maps.id(name);
    const keys = (await entriesOf(agent, id)).map(({ key }) => key).sort();
    assert.deepEqual(
      keys,
      ['10.0.0.0/24', '10.0.1.1/32', '10.0.2.0/24', '10.0.3.1/32', '10.0.4.0/24', '10.0.5.1/32'],
      name,
    );
    for (const key of keys) {
      const found = await agent.local
        .get(`/v1/maps/${id}/entry`)
        .query({ key: JSON.stringify(key) })
        .expect(200);
      assert.equal(found.body.key, key);
    }
    // The lookup of the kernel would find 10.0.2.0/24 for these.
    for (const key of ['"10.0.2.7/32"', '"10.0.2.0/25"', '"10.0.0.0/8"']) {
      const answer = await agent.local.get(`/v1/maps/${id}/entry`).query({ key }).expect(404);
      assert.equal(answer.body.code, 'entry_not_found', key);
    }
  }
});

test('variables of data sections come by name', async () => {
  using maps = await filledMaps('make', entriesObject(), '0');
  const named = (part: string): string => maps.names.find((name) => name.endsWith(part)) ?? part;
  const [data] = await entriesOf(agent, maps.id(named('.data')));
  assert.equal(Object(data?.value).in_data.name, 'data');
  const [rodata] = await entriesOf(agent, maps.id(named('.rodata')));
  assert.deepEqual(rodata, { key: 0, value: { in_rodata: 42 } });
});

test('keys from 1 byte on and values up to 64 KiB are read whole, by stream and one by one', async () => {
  using maps = await filledMaps('sizes');
  for (const name of maps.names) {
    const [, keySize = 0, valueSize = 0] = (/^k(\d+)v(\d+)$/.exec(name) ?? []).map(Number);
    const entries = await entriesOf(agent, maps.id(name));
    const expected = Array.from({ length: 5 }, (_, i) => {
      const key = Buffer.alloc(keySize);
      key[0] = i;
      return { key: key.toString('hex'), value: pattern(i, valueSize).toString('hex') };
    });
    assert.deepEqual([...entries].sort(byText), expected, name);
    const one = expected[3];
    const answer = await agent.local.get(`/v1/maps/${maps.id(name)}/entries/${one?.key}`).expect(200);
    assert.deepEqual(answer.body, one, name);
  }
});

test('pages of any size together are the whole map, and no page is larger than asked for', async () => {
  using maps = await filledMaps('make', entriesObject(), '64');
  for (const name of maps.names) {
    const id = maps.id(name);
    const whole = (await entriesOf(agent, id)).map((entry) => JSON.stringify(entry)).sort();
    for (const limit of [1, 3, 7, 500]) {
      const paged = await pagesOf(id, limit);
      assert.deepEqual(paged.sort(), whole, `${name} by ${limit}`);
    }
  }
});

test('a cursor of one map is refused by another, and so is one that was made up', async () => {
  using maps = await filledMaps('make', entriesObject(), '9');
  const first = await agent.local.get(`/v1/maps/${maps.id('b_hash')}/entries?limit=2`).expect(200);
  const { next_cursor: cursor } = first.body;
  const other = `/v1/maps/${maps.id('b_lru')}/entries?limit=2`;
  for (const wrong of [cursor, 'AAAA', `${String(cursor)}x`]) {
    const answer = await agent.local.get(other).query({ cursor: wrong }).expect(400);
    assert.equal(answer.body.code, 'bad_cursor');
  }
});

test('a made-up position is refused or read from, and never leads outside of a key', async () => {
  using maps = await filledMaps('make', entriesObject(), '9');
  using special = await filledMaps('special');
  const ids = [...maps.names.map((name) => maps.id(name)), special.id('devmap'), special.id('devmap_hash')];
  for (const id of ids) {
    const url = `/v1/maps/${id}/entries`;
    const mark = markOf(id);
    for (const position of [
      '',
      '.',
      '.0',
      'ff.0',
      'ffffffff.0',
      `${'ff'.repeat(600)}.9999999`,
      '.9999999',
      '00.-1',
      'x.1',
    ]) {
      const cursor = `${mark}${Buffer.from(position).toString('base64url')}`;
      const answer = await agent.local.get(url).query({ cursor });
      if (position === '.0') assert.equal(answer.status, 200, 'the cursor was not forged well');
      assert.ok(answer.status === 200 || answer.status === 400, `${position}: ${answer.text}`);
      assert.ok(answer.status === 400 ? answer.body.code === 'bad_cursor' : answer.body.items.length <= 500);
    }
  }
});

test('counts are those of the whole map', async () => {
  using maps = await filledMaps('make', entriesObject(), '5');
  for (const name of maps.names) {
    const { lines } = await streamOf(agent, maps.id(name));
    const answer = await agent.local.get(`/v1/maps/${maps.id(name)}/count`).expect(200);
    assert.equal(answer.body.count, lines.length, name);
    assert.equal(answer.body.complete, true);
  }
});

test('keys and values without BTF are shown as whoever asks says they are', async () => {
  using maps = await filledMaps('sizes');
  const value = pattern(2, 8);
  const views: readonly (readonly [string, unknown])[] = [
    ['u64', String(value.readBigUInt64LE())],
    ['s64', String(value.readBigInt64LE())],
    ['be64', String(value.readBigUInt64BE())],
    ['hex', value.toString('hex')],
    ['base64', value.toString('base64')],
  ];
  const id = maps.id('k4v8');
  for (const [view, expected] of views) {
    const query = { key: '2', key_as: 'u32', value_as: view };
    const answer = await agent.local.get(`/v1/maps/${id}/entry`).query(query).expect(200);
    assert.deepEqual(answer.body, { key: 2, value: expected }, view);
  }
  for (const [view, key] of [
    ['u32', 2],
    ['s32', 2],
    ['be32', 0x02000000],
    ['ipv4', '2.0.0.0'],
    ['hex', '02000000'],
    ['base64', 'AgAAAA=='],
  ] as const) {
    const query = { key: JSON.stringify(key), key_as: view };
    const answer = await agent.local.get(`/v1/maps/${id}/entry`).query(query).expect(200);
    assert.deepEqual(answer.body, { key, value: value.toString('hex') }, view);
  }
});

test('hostile bytes as text are valid JSON and can be asked for again', async () => {
  using maps = await filledMaps('sizes');
  const id = maps.id('k17v63');
  const entries = await entriesOf(agent, id, '?key_as=utf8&value_as=utf8');
  assert.equal(entries.length, 5);
  for (const { key } of entries) {
    const query = { key: JSON.stringify(key), key_as: 'utf8' };
    const answer = await agent.local.get(`/v1/maps/${id}/entry`).query(query).expect(200);
    assert.deepEqual(answer.body.key, key);
  }
});

test('keys and choices that do not fit are refused with 422', async () => {
  using maps = await filledMaps('make', entriesObject(), '3');
  const base = `/v1/maps/${maps.id('b_hash')}`;
  for (const path of [
    '/entries/00',
    '/entries/zz',
    '/entry?key={',
    '/entry?key="x"',
    '/entry?key=-1',
    '/entry?key=4294967296',
    '/entry',
    '/entries?key_as=u64',
    '/entries?value_as=nonsense',
    '/entries?format=raw&key_as=u32',
    '/entries?follow=true',
    '/entries?what=ever',
  ]) {
    const answer = await agent.local.get(base + encodeURI(path));
    assert.equal(answer.status, 422, `${path}: ${answer.text}`);
  }
});

/** What cursors of a list begin with: how a client that makes them up would forge one. */
function markOf(mapId: number): string {
  const list = `/v1/maps/:id/entries?{}${JSON.stringify({ id: String(mapId) })}`;
  return createHash('sha256').update(list).digest('base64url').slice(0, 8);
}

async function pagesOf(id: number, limit: number): Promise<string[]> {
  const items: string[] = [];
  let cursor: string | undefined;
  do {
    const query = { limit, ...(cursor === undefined ? {} : { cursor }) };
    const answer = await agent.local.get(`/v1/maps/${id}/entries`).query(query).expect(200);
    assert.ok(answer.body.items.length <= limit);
    items.push(...answer.body.items.map((item: unknown) => JSON.stringify(item)));
    cursor = answer.body.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return items;
}

function sampleOf(i: number): object {
  return {
    packets: String(0xffffffffffffff00n + BigInt(i)),
    delta: 0 - i,
    port: 80 + i,
    flags: i & 7,
    rest: 31 - (i & 31),
    mood: i % 2 === 1 ? 'TENSE' : i === 0 ? 'CALM' : i,
    name: `n${i}"`,
    mac: [0, 0, 0, 0, 0, i],
    pair: { port: i, proto: 6 },
    word: 0x01020300 + i,
    bytes: [i, 3, 2, 1],
    pointer: `0x${(0xffff888100000000n + BigInt(i)).toString(16)}`,
    on: i % 3 === 0,
  };
}

function byNumber(left: Entry, right: Entry): number {
  return Number(left.key) - Number(right.key);
}

function byText(left: Entry, right: Entry): number {
  return String(left.key) < String(right.key) ? -1 : 1;
}
