import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { bpftoolItems, streamOf } from '../contract/entries-fixture.ts';
import { makeMap } from '../contract/map-edits-fixture.ts';
import { valueBtf } from '../contract/map-recipes.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { callerOf } from '../support/caller.ts';
import { entriesObject, filledMaps } from '../support/entries.ts';
import { type Random, random, testSeed } from '../support/seed.ts';

const seed = testSeed();

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

/** A map, what is right for it, and what can never be. */
interface Target {
  readonly path: string;
  readonly spec: object;
  readonly query: string;
  readonly right: { readonly key: unknown; readonly value: unknown };
  readonly wrongKeys: readonly unknown[];
  readonly wrongValues: readonly unknown[];
}

/** Wrong for whatever is wanted. */
const nonsense: readonly unknown[] = [
  null,
  true,
  [],
  {},
  [[1]],
  { a: 1 },
  '',
  'z',
  '\u0000',
  '0x',
  1.5,
  -0.1,
  1e300,
  '<shallow>',
];

/** Arrays in each other, which JSON.stringify would have no stack for; stand-ins are replaced by them. */
const nestings: Readonly<Record<string, string>> = {
  // The most that comes to the map at all.
  '"<shallow>"': nested(limits.jsonDepthMax - 3),
  // A request line has no room for more.
  '"<deep>"': nested(6000),
};

function nested(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

/** A value as JSON. */
function jsonOf(value: unknown): string {
  return JSON.stringify(value).replace(/"<(?:shallow|deep)>"/g, (name) => nestings[name] ?? name);
}

const wrongHex = ['0', '000000', '0000000', '00000000000', 'g0000000', ' 0000000', '0000000\n', '😀0000'];

const targets: readonly Target[] = [
  {
    path: 'raw',
    spec: {},
    query: '?format=raw',
    right: { key: '01000000', value: '00'.repeat(8) },
    wrongKeys: [...nonsense, ...wrongHex, 5],
    wrongValues: [...nonsense, ...wrongHex, 5, '00'.repeat(9)],
  },
  {
    path: 'typed',
    spec: { btf: { blob_base64: valueBtf(), key_type_id: 1, value_type_id: 3 } },
    query: '',
    right: { key: 1, value: { count: '1' } },
    wrongKeys: [...nonsense, 2 ** 31, -(2 ** 31) - 1, '01000000z', '2147483648'],
    wrongValues: [
      ...nonsense,
      { count: '9223372036854775808' },
      { count: '1', more: 1 },
      { count: {} },
      { count: [1] },
      { __proto__: null, count: null },
      '00'.repeat(8),
    ],
  },
  {
    path: 'trie',
    spec: { type: 'lpm_trie', key_size: 8, flags: ['no_prealloc'] },
    query: '?format=typed&value_as=u64',
    right: { key: '10.0.0.0/8', value: '5' },
    wrongKeys: [
      ...nonsense,
      '10.0.0.0',
      '10.0.0.0/33',
      '10.0.0/8',
      '::/8',
      '10.0.0.0/-1',
      '10.0.0.256/8',
      '/8',
    ],
    wrongValues: [...nonsense, '18446744073709551616', '-1', '1e3'],
  },
  {
    path: 'cpus',
    spec: { type: 'percpu_hash' },
    query: '?key_as=be32&value_as=base64',
    right: { key: 1, value: 'AAAAAAAAAAA=' },
    wrongKeys: [...nonsense, -1, 2 ** 32, '1'],
    wrongValues: [...nonsense, 'AAAA', 'AAAAAAAAAAAAAAA=', 5],
  },
];

const rounds = 25;
const linesARound = 1000;

test('a hundred thousand malformed keys and values are each refused, and nothing is written', async () => {
  const dice = random(seed);
  for (const target of targets) {
    const id = await makeMap(agent, target.path, target.spec);
    for (let round = 0; round < rounds; round++) {
      const lines = Array.from({ length: linesARound }, () => malformed(target, dice));
      const answer = await agent.local
        .post(`/v1/maps/${id}/entries/batch${target.query}`)
        .set('content-type', 'application/x-ndjson')
        .send(lines.join('\n'));
      assert.equal(answer.status, 200, answer.text);
      const { done, failed, failures } = answer.body;
      if (done > 0) {
        const told = new Set(failures.map(({ index }: { index: number }) => index));
        assert.fail(`${target.path} took ${lines.find((_, index) => !told.has(index))}`);
      }
      assert.equal(failed, linesARound);
      for (const [index, failure] of failures.entries()) {
        assert.equal(failure.index, index);
        assert.match(failure.code, /^(invalid_input|bad_json)$/, lines[index]);
        assert.ok(failure.detail.length > 10 && failure.detail.length < 400, failure.detail);
      }
    }
    const { lines } = await streamOf(agent, id);
    assert.deepEqual(lines, []);
    assert.deepEqual(Object.keys(Object.prototype), []);
  }
});

test('malformed single requests are refused with a pointer, and the agent goes on', async () => {
  const dice = random(seed + 1);
  using caller = callerOf(agent.socket);
  for (const target of targets) {
    const id = await makeMap(agent, `single/${target.path}`, target.spec);
    for (let round = 0; round < 1000; round++) {
      const isKey = dice.int(2) === 0;
      const key = isKey ? dice.pick([...target.wrongKeys, '<deep>']) : target.right.key;
      const value = isKey ? target.right.value : dice.pick([...target.wrongValues, '<deep>']);
      const joint = target.query === '' ? '?' : `${target.query}&`;
      const url = `/v1/maps/${id}/entry${joint}key=${jsonOf(key).replace(/[^[\]]+/g, encodeURIComponent)}`;
      const method = isKey && dice.int(2) === 0 ? 'DELETE' : 'PUT';
      const answer = await caller.ask({
        method,
        url,
        ...(method === 'PUT' ? { text: jsonOf({ value }) } : {}),
      });
      assert.equal(
        answer.status,
        422,
        `${method} ${url.slice(0, 200)} ${jsonOf(value).slice(0, 200)}: ${JSON.stringify(answer.body)}`,
      );
      assert.match(answer.body.errors[0].pointer, isKey ? /^\/query\/key/ : /^\/body\/value/);
    }
  }
});

test('every map of a C program is copied by its specification and its typed dump', async () => {
  using maps = await filledMaps('make', entriesObject(), '40');
  let copied = 0;
  for (const name of maps.names) {
    const from = maps.id(name);
    const { body: document } = await agent.local.get(`/v1/maps/${from}`).expect(200);
    if (document.frozen === true || document.btf_id === undefined) continue;
    const spec = await agent.local.get(`/v1/maps/${from}/spec`).expect(200);
    const made = await agent.local.post(`/v1/maps?pin=copy/${name.replaceAll('.', '_')}`).send(spec.body);
    assert.equal(made.status, 201, `${name}: ${made.text}`);
    const { lines } = await streamOf(agent, from, '?format=typed');
    const answer = await agent.local
      .post(`/v1/maps/${made.body.id}/entries/batch?format=typed`)
      .set('content-type', 'application/x-ndjson')
      .send(lines.join('\n'));
    assert.deepEqual([answer.body.done, answer.body.failed], [lines.length, 0], `${name}: ${answer.text}`);
    const copy = await streamOf(agent, made.body.id, '?format=typed');
    assert.deepEqual([...copy.lines].sort(), [...lines].sort(), name);
    assert.equal(bpftoolItems(made.body.id).length, lines.length);
    copied++;
  }
  assert.ok(copied >= 5, `${copied} maps were copied`);
});

/** A line of which at least one part can never be right. */
function malformed(target: Target, dice: Random): string {
  const { right, wrongKeys, wrongValues } = target;
  switch (dice.int(8)) {
    case 0:
    case 1:
    case 2:
      return jsonOf({ key: dice.pick(wrongKeys), value: right.value });
    case 3:
    case 4:
    case 5:
      return jsonOf({ key: right.key, value: dice.pick(wrongValues) });
    case 6:
      return jsonOf(
        dice.pick([
          { key: right.key },
          { value: right.value },
          { ...right, op: 'pop' },
          { ...right, extra: 1 },
          { key: right.key, values: [{ cpu: 0 }] },
          { key: '<deep>', value: right.value },
          { key: right.key, value: '<deep>' },
          ['<deep>'],
          [right],
          'text',
          5,
        ]),
      );
    default: {
      const whole = jsonOf(right);
      return whole.slice(0, 1 + dice.int(whole.length - 1));
    }
  }
}
