import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test from 'node:test';
import {
  parseId,
  parseLabels,
  parseMoment,
  parsePathArgument,
  parseTime,
  prefixQuery,
} from '../../src/cli/argument.ts';
import { UsageError } from '../../src/cli/exit.ts';
import { failureOf } from '../../src/cli/failure.ts';
import { ageOf, formatAge } from '../../src/cli/format/age.ts';
import { describeDocument } from '../../src/cli/format/describe.ts';
import { styleFor } from '../../src/cli/format/style.ts';
import { formatTable } from '../../src/cli/format/table.ts';
import { treeLines } from '../../src/cli/format/tree.ts';
import { cutTo, displayWidth } from '../../src/cli/format/width.ts';
import { readDocument } from '../../src/cli/read-document.ts';
import type { Typed } from '../../src/cli/typed.ts';
import { parseAddress } from '../../src/client/address.ts';
import { ClientError } from '../../src/client/client-error.ts';

test('widths are those of terminal cells', () => {
  const widths = { abc: 3, é: 1, 'e\u0301': 1, 日本: 4, ｗ: 2, '👍': 2, 한: 2, '': 0 };
  for (const [text, width] of Object.entries(widths)) assert.equal(displayWidth(text), width, text);
});

test('a cell that is too wide is cut where a character ends', () => {
  assert.equal(cutTo('abcd', 4), 'abcd');
  assert.equal(cutTo('abcde', 4), 'abc…');
  assert.equal(cutTo('日本語', 4), '日…');
});

test('columns line up by width, numbers to the right, and no line ends in spaces', () => {
  const headings = [{ title: 'PATH' }, { title: 'ID', align: 'right' }, { title: 'NAME' }] as const;
  const rows = [
    ['日本', '5', 'x'],
    ['a', '12345', ''],
  ];
  assert.deepEqual(formatTable(headings, rows), [
    'PATH      ID   NAME',
    '日本       5   x',
    'a      12345   -',
  ]);
  assert.deepEqual(formatTable(headings, rows, false), ['日本       5   x', 'a      12345   -']);
});

test('ages have the units people compare', () => {
  const ages = [
    [-5, '0s'],
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [200, '3m20s'],
    [600, '10m'],
    [3600, '1h'],
    [3700, '1h1m'],
    [36_000, '10h'],
    [3 * 86_400 + 7200, '3d2h'],
    [40 * 86_400, '40d'],
    [400 * 86_400, '1y35d'],
  ] as const;
  for (const [seconds, age] of ages) assert.equal(formatAge(seconds), age);
  assert.equal(ageOf('2026-01-01T00:00:00.000Z', new Date('2026-01-01T00:05:00.000Z')), '5m');
});

test('trees are drawn with boxes for people and in ASCII for the rest', () => {
  const leaf = (label: string) => ({ label, children: [] });
  const root = { label: '/', children: [{ label: 'a/', children: [leaf('b'), leaf('c')] }, leaf('d')] };
  assert.deepEqual([...treeLines(root, 'boxes')], ['/', '├── a/', '│   ├── b', '│   └── c', '└── d']);
  assert.deepEqual([...treeLines(root, 'ascii')], ['/', '|-- a/', '|   |-- b', '|   `-- c', '`-- d']);
});

test('colour is for terminals that want it', () => {
  assert.equal(styleFor(true, {}).bad('x'), '\u001b[31mx\u001b[0m');
  assert.equal(styleFor(true, { NO_COLOR: '' }).good('x'), '\u001b[32mx\u001b[0m');
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) assert.equal(styleFor(true, env).bad('x'), 'x');
  assert.equal(styleFor(false, {}).strong('x'), 'x');
  assert.equal(styleFor(true, {}).faint(''), '');
});

test('a description shows lists, nested documents, times with their age, and nothing as none', () => {
  const document = {
    btf_id: 5,
    frozen: false,
    first_seen: '2026-01-01T00:00:00.000Z',
    flags: ['a', 'b'],
    owner: null,
    labels: {},
    pins: [{ mount: '0:40', path: 'x' }],
  };
  assert.deepEqual(describeDocument(document, new Date('2026-01-01T00:00:45.000Z')), [
    'BTF ID:      5',
    'Frozen:      no',
    'First seen:  2026-01-01T00:00:00.000Z (45s ago)',
    'Flags:       a, b',
    'Owner:       none',
    'Labels:      none',
    'Pins:',
    '  - Mount:  0:40',
    '    Path:   x',
  ]);
});

test('keys of labels are described as they were written', () => {
  const labels = { team: 'net', url: 'x', cost_id: '5' };
  assert.deepEqual(describeDocument({ max_id: 1, labels }, new Date(0)), [
    'Max ID:  1',
    'Labels:',
    '  team:     net',
    '  url:      x',
    '  cost_id:  5',
  ]);
});

test('arguments are read as they are shown', () => {
  assert.equal(parsePathArgument('a\\x0ab/\\\\'), 'a\nb/\\');
  assert.equal(parsePathArgument('é'), '\u00c3\u00a9');
  assert.deepEqual(prefixQuery('tc/é'), { prefix: 'tc/é' });
  assert.deepEqual(prefixQuery('\\xff'), { prefix_bytes: Buffer.of(0xff).toString('base64url') });
  assert.equal(parseId('map:5', 'map'), '5');
  assert.equal(parseId('prog:5', 'program'), '5');
  assert.deepEqual(parseLabels(['a=b=c', 'd=']), { a: 'b=c', d: '' });
  const now = new Date('2026-01-01T00:10:00.000Z');
  assert.equal(parseTime('5m', now), '2026-01-01T00:05:00.000Z');
  assert.equal(parseTime('2026-01-01T00:00:00Z', now), '2026-01-01T00:00:00.000Z');
  assert.equal(parseTime('2026-01-01', now), '2026-01-01T00:00:00.000Z');
  assert.equal(parseTime('2026-01-01 02:00+02:00', now), '2026-01-01T00:00:00.000Z');
  assert.equal(parseMoment('seq:12', now), 'seq:12');
});

test('arguments that mean nothing are a matter of usage', () => {
  const wrong = [
    () => parsePathArgument('a\\q'),
    () => parseId('link:5', 'map'),
    () => parseId('-5', 'map'),
    () => parseId('0', 'map'),
    () => parseId('map:00', 'map'),
    () => parseLabels(['=x']),
    () => parseTime('yesterday', new Date()),
    () => parseTime('seq:-1', new Date()),
    () => parseMoment('seq: 5', new Date()),
    () => parseTime('before 5', new Date()),
    () => parseTime('2026-01-01T00:00:00 +01', new Date()),
    () => parseTime('2026-13-01', new Date()),
  ];
  for (const parse of wrong) assert.throws(parse, UsageError);
});

test('addresses are sockets or origins, and nothing that carries more', () => {
  assert.deepEqual(parseAddress('/run/x.sock'), { kind: 'unix', socketPath: '/run/x.sock' });
  assert.deepEqual(parseAddress('unix:///run/x.sock'), { kind: 'unix', socketPath: '/run/x.sock' });
  assert.deepEqual(parseAddress('unix:/run/x.sock'), { kind: 'unix', socketPath: '/run/x.sock' });
  assert.deepEqual(parseAddress('localhost:7463'), {
    kind: 'url',
    url: 'http://localhost:7463',
    isLoopback: true,
  });
  assert.deepEqual(parseAddress('https://node.example'), {
    kind: 'url',
    url: 'https://node.example',
    isLoopback: false,
  });
  assert.deepEqual(parseAddress('http://[::1]:1'), { kind: 'url', url: 'http://[::1]:1', isLoopback: true });
  assert.deepEqual(parseAddress('http://127.0.0.1.evil.example:1'), {
    kind: 'url',
    url: 'http://127.0.0.1.evil.example:1',
    isLoopback: false,
  });
  for (const text of [
    '',
    'node',
    'unix://x',
    'unix:rel',
    'http://u:p@h:1',
    'http://h:1/path',
    'http://h:1?q=1',
    'ftp://h:1',
  ]) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

function refusal(detail: string, pointer?: string, code = 'invalid_input'): ClientError {
  const errors = pointer === undefined ? {} : { errors: [{ pointer, detail }] };
  return new ClientError({ code, status: 422, title: 'No', detail, ...errors }, detail);
}

test('refusals name what was typed, not what was sent', () => {
  const typed = (path: string, ...flags: readonly string[]): Typed => ({
    path,
    flags: new Set(flags),
    isFromFile: false,
  });
  const told = (error: ClientError, by: Typed): string => failureOf(error, by)?.sentence ?? '';
  const size = refusal('/body/key_size of a hash must be 1 at least.', '/body/key_size');
  const create = typed('create map', '--key');
  assert.equal(told(size, create), '--key of a hash must be 1 at least.');
  assert.equal(told(size, { ...create, isFromFile: true }), 'key_size of a hash must be 1 at least.');
  assert.equal(told(refusal('/body/flags/1 is no flag of maps.'), create), '--flag is no flag of maps.');
  const entry = refusal('Not valid: /body/entries/3/key: 4 bytes are wanted.');
  assert.equal(told(entry, create), 'Not valid: entries/3/key: 4 bytes are wanted.');
  assert.equal(told(refusal('/query/odd is not known here.'), create), 'odd is not known here.');
  const path = refusal('Cannot open "a/body/x" or /proc/5.');
  assert.equal(told(path, create), 'Cannot open "a/body/x" or /proc/5.');
  const key = refusal('/query/key: 4 bytes are wanted.', '/query/key');
  const failure = failureOf(key, typed('entry get', '--key-as', '--value-as'));
  assert.equal(failure?.sentence, 'KEY: 4 bytes are wanted.');
  assert.match(failure?.advice.join() ?? '', /--key-as u32/);
  assert.deepEqual(failureOf(key, typed('describe'))?.advice, []);
});

test('advice to repeat a command with an option is for commands that have it', () => {
  const missing = refusal('The directory is not there.', undefined, 'parent_not_found');
  const having = (...flags: readonly string[]): Typed => ({
    path: 'x',
    flags: new Set(flags),
    isFromFile: false,
  });
  assert.match(failureOf(missing, having('--parents'))?.advice.join() ?? '', /repeat it with --parents/);
  assert.deepEqual(failureOf(missing, having('--fresh'))?.advice, []);
});

test('a broken file is told in one line, with its place', async () => {
  const io = {
    stdin: Readable.from(['a: [\n']),
    stdout: process.stdout,
    stderr: process.stderr,
    env: {},
    isTTY: { stdin: false, stdout: false, stderr: false },
    columns: 80,
    rows: 24,
    now: () => new Date(),
  };
  await assert.rejects(readDocument(io, '-'), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /^The file is neither YAML nor JSON: [^\\]+ at line \d, column \d\.$/);
    return true;
  });
});
