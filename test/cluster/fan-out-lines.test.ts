import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import test from 'node:test';
import { isPlainLine } from '../../src/cluster/fan-out/plain-line.ts';
import type { Fleet } from '../../src/cluster/fleet.ts';
import { limits } from '../../src/model/limits.ts';
import { isRecord } from '../../src/model/record.ts';
import { random, testSeed } from '../support/seed.ts';
import { fleetOf, linesOf, question } from './fan-out-fixture.ts';

/** A node that sends these bytes, whatever it is asked. */
function sends(text: string | Buffer): RequestListener {
  return (_, response) => void response.end(text);
}

/** The whole stream, as a reader has it. */
async function streamed(fleet: Fleet) {
  const pieces: Buffer[] = [];
  const stream = fleet.stream(question({ deadlineMs: limits.nodeDeadlineMsMax }));
  for (;;) {
    const step = await stream.next();
    if (step.done === true) return { text: Buffer.concat(pieces).toString('utf8'), summary: step.value };
    pieces.push(step.value);
  }
}

test('lines are handed on as the node wrote them, with its name behind', async () => {
  const items = [
    '{"path":"tc/globals/flows","id":12345678901234567890,"ratio":1.50,"list":[1,{"node":"inner"}]}',
    '{"path":"Käse \\u20ac € 𝄞","path_bytes":"S8Okc2U=","name":"a\\"}\\n"}',
    '{"text":"node","other":"\\"node\\":"}',
  ];
  const { fleet } = await fleetOf({ n1: sends(`${items.join('\n')}\n${linesOf([]).replace('0', '3')}`) });
  const { text, summary } = await streamed(fleet);
  assert.equal(text, items.map((item) => `${item.slice(0, -1)},"node":"n1"}\n`).join(''));
  assert.deepEqual(summary, { count: 3, nodes: 1, complete: true, unreachable: [] });
});

test('a node speaks for itself only, however it writes another name', async () => {
  const items = [
    '{"node":"other","path":"a"}',
    '{"path":"b","node":"other"}',
    '{"\\u006eode":"other","path":"c"}',
    '{"path":"d","node":"other","node":"another"}',
    ' {"node":null,"path":"€"} ',
    '{}',
    '{ }',
    '{"path":"e"} ',
  ];
  const end = linesOf([]).replace('0', String(items.length));
  const { fleet } = await fleetOf({ n1: sends(`${items.join('\n')}\n${end}`) });
  const { text, summary } = await streamed(fleet);
  const read = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    read.map(({ node }) => node),
    items.map(() => 'n1'),
  );
  assert.deepEqual(
    read.map(({ path }) => path),
    ['a', 'b', 'c', 'd', '€', undefined, undefined, 'e'],
  );
  assert.equal([...text.matchAll(/node":/g)].length, items.length, 'and says it once');
  assert.equal(summary.count, items.length);
});

test('a line that is handed on unread is an object without a member node, whatever was done to it', () => {
  const seed = testSeed();
  const { int, pick } = random(seed);
  const values = [
    '1',
    '-0.5',
    '"x"',
    'null',
    'true',
    '[]',
    '{}',
    '[1,[{"node":2}]]',
    '{"a":{"b":"\\n€"}}',
    '0',
  ];
  const pieces = [...'{}[]",:\\ \t01-.eEun', 'node', '"node":', 'true', '\\u006e', '€', '\u0001'];
  let plain = 0;
  for (let turn = 0; turn < 20_000; turn += 1) {
    const members = Array.from({ length: 1 + int(4) }, (_, at) => `"m${at}":${pick(values)}`);
    const whole = `{${members.join(',')}}`;
    assert.ok(isPlain(whole), `seed ${seed}: ${whole}`);
    let text = whole;
    for (let edit = int(3); edit >= 0; edit -= 1) {
      const at = int(text.length + 1);
      text = text.slice(0, at) + (int(3) === 0 ? '' : pick(pieces)) + text.slice(at + int(3));
    }
    if (!isPlain(text)) continue;
    plain += 1;
    const item: unknown = JSON.parse(text);
    assert.ok(isRecord(item) && !Object.hasOwn(item, 'node'), `seed ${seed}: ${text}`);
  }
  assert.ok(plain > 0, `seed ${seed}`);
});

/** Whether a line is handed on unread, wherever it stands among others. */
function isPlain(line: string): boolean {
  const bytes = Buffer.from(`{"a":1}\n${line}\n{"b":2}\n`);
  return isPlainLine(bytes, 8, bytes.length - 9);
}

test('a node whose lines are cut, broken or not counted gives nothing, and is named', async () => {
  const two = linesOf([{ path: 'a' }, { path: 'b' }]);
  const summary = (about: string): string =>
    `{"summary":{"count":1,"complete":true,"next_cursor":${about}}}\n`;
  const bad: Readonly<Record<string, string | Buffer>> = {
    nothing: '',
    cut: two.slice(0, two.indexOf('\n') + 1),
    'cut-line': two.slice(0, -1),
    uncounted: two.replace('"count":2', '"count":3'),
    joined: `{"path":"a"},{"path":"b"}\n${summary('null')}`,
    halves: `{"path":"a"\n"path":"b"}\n${linesOf([]).replace('0', '2')}`,
    number: `1\n${summary('null')}`,
    array: `[{"path":"a"}]\n${summary('null')}`,
    empty: `\n${summary('null')}`,
    'more-of-nothing': linesOf([], 'on'),
    bytes: Buffer.concat([
      Buffer.from('{"path":"'),
      Buffer.from([0xff]),
      Buffer.from(`"}\n${summary('null')}`),
    ]),
    control: `{"path":"\u0001"}\n${summary('null')}`,
    cursor: `{"path":"a"}\n${summary('5')}`,
    'cursor-long': `{"path":"a"}\n${summary(`"${'x'.repeat(limits.cursorCharsMax + 1)}"`)}`,
    many: linesOf(Array.from({ length: limits.nodePageItems + 1 }, (_, id) => ({ id }))),
    page: JSON.stringify({ items: [{ path: 'a' }], next_cursor: null }),
  };
  const nodes = Object.entries(bad).map(([name, text]) => [name, sends(text)] as const);
  const { fleet } = await fleetOf({ ...Object.fromEntries(nodes), good: sends(linesOf([{ path: 'x' }])) });
  const { text, summary: said } = await streamed(fleet);
  assert.equal(text, '{"path":"x","node":"good"}\n');
  assert.deepEqual(
    said.unreachable.map(({ node }) => node),
    Object.keys(bad).sort(),
  );
  for (const { reason } of said.unreachable) assert.match(reason, /no page of a list/);
});
