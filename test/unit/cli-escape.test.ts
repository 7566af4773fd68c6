import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parse as parseYaml } from 'yaml';
import { describeDocument } from '../../src/cli/format/describe.ts';
import { formatJson, formatJsonLine, formatYaml } from '../../src/cli/format/document.ts';
import { shownActor } from '../../src/cli/resource/cell.ts';
import { escapeName, escapeText, isPrintable, parseEscaped } from '../../src/model/escape.ts';
import { testSeed } from '../support/seed.ts';

const seed = testSeed();

/** Names that would do something to a terminal, a table or a reader, and how people see them. */
const hostile: readonly (readonly [name: string, bytes: string | Uint8Array, shown: string])[] = [
  ['a newline', 'a\nb', 'a\\x0ab'],
  ['a carriage return', 'good\rbad', 'good\\x0dbad'],
  ['a colour', '\u001b[31mred', '\\x1b[31mred'],
  ['a title of the window', '\u001b]0;pwned\u0007', '\\x1b]0;pwned\\x07'],
  ['a C1 control sequence introducer', '\u009b31m', '\\xc2\\x9b31m'],
  ['its single byte', Uint8Array.of(0x9b, 0x33), '\\x9b3'],
  ['a tab', 'a\tb', 'a\\x09b'],
  ['DEL', 'a\u007f', 'a\\x7f'],
  ['a right-to-left override', 'a\u202egpj', 'a\\xe2\\x80\\xaegpj'],
  ['an isolate', '\u2066x\u2069', '\\xe2\\x81\\xa6x\\xe2\\x81\\xa9'],
  ['a zero width space', 'a\u200bb', 'a\\xe2\\x80\\x8bb'],
  ['a byte order mark', '\ufeffa', '\\xef\\xbb\\xbfa'],
  ['a line separator', 'a\u2028b', 'a\\xe2\\x80\\xa8b'],
  ['a no-break space', 'a\u00a0b', 'a\\xc2\\xa0b'],
  ['a filler that shows as nothing', '\u3164', '\\xe3\\x85\\xa4'],
  ['a tag character', 'a\u{e0041}', 'a\\xf3\\xa0\\x81\\x81'],
  ['a private code point', '\ue000', '\\xee\\x80\\x80'],
  ['a mark without a letter', '\u0301a', '\\xcc\\x81a'],
  ['the gap between columns', 'x   map  5', 'x\\x20\\x20\\x20map\\x20\\x205'],
  ['a space at the end', 'x ', 'x\\x20'],
  ['something that looks like an escape', 'a\\x41', 'a\\\\x41'],
  ['bytes that are not UTF-8', Uint8Array.of(0x61, 0xff, 0xfe, 0x62), 'a\\xff\\xfeb'],
  ['an overlong slash', Uint8Array.of(0xc0, 0xaf), '\\xc0\\xaf'],
  ['half of a surrogate pair', Uint8Array.of(0xed, 0xa0, 0x80), '\\xed\\xa0\\x80'],
  ['a sequence cut short', Uint8Array.of(0xe2, 0x82), '\\xe2\\x82'],
  ['beyond Unicode', Uint8Array.of(0xf4, 0x90, 0x80, 0x80), '\\xf4\\x90\\x80\\x80'],
];

for (const [what, name, shown] of hostile) {
  test(`a name with ${what} is shown as ${shown}, and typed the same`, () => {
    const bytes = Buffer.from(typeof name === 'string' ? Buffer.from(name, 'utf8') : name);
    assert.equal(escapeName(bytes), shown);
    assert.deepEqual(parseEscaped(shown), bytes);
  });
}

test('names that are printable are shown as they are', () => {
  for (const name of ['tc', 'a b', 'Zähler', '日本', 'ω²', 'naïve\u0308', '👍', "it's", '*?[]{}$`']) {
    assert.equal(escapeName(Buffer.from(name)), name);
    assert.ok(isPrintable(name));
  }
});

/** Judges by code points and not with the expression under test. */
function isSafe(text: string): boolean {
  const forbidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
  return !forbidden.test(text) && !text.includes('  ') && text.trim() === text;
}

test('whatever the bytes, what is shown is one safe line that reads back to the same bytes', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: 'binary', maxLength: 20 }).map((text) => new Uint8Array(Buffer.from(text, 'utf8'))),
  );
  fc.assert(
    fc.property(bytes, (name) => {
      const shown = escapeName(name);
      assert.ok(isSafe(shown), shown);
      assert.deepEqual(parseEscaped(shown), Buffer.from(name));
    }),
    { seed, numRuns: 5000 },
  );
});

test('different names never look the same', () => {
  const name = fc.uint8Array({ minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(name, name, (a, b) => {
      assert.equal(escapeName(a) === escapeName(b), Buffer.compare(a, b) === 0);
    }),
    { seed, numRuns: 5000 },
  );
});

test('an escape that is none is told from one', () => {
  for (const text of ['\\', 'a\\', 'a\\n', '\\x4', '\\xzz']) assert.equal(parseEscaped(text), undefined);
});

test('documents parse back to what they were, and are safe to print', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom(...hostile.flatMap(([, name]) => (typeof name === 'string' ? [name] : []))),
  );
  const document = fc.dictionary(
    text,
    fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.array(text)),
  );
  const lines = /[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|[^\P{Cc}\n]/u;
  fc.assert(
    fc.property(document, (value) => {
      const expected = JSON.parse(JSON.stringify(value));
      assert.deepEqual(JSON.parse(formatJson(value)), expected);
      assert.deepEqual(JSON.parse(formatJsonLine(value)), expected);
      assert.ok(!formatJsonLine(value).includes('\n'));
      assert.deepEqual(parseYaml(formatYaml(value)), expected);
      for (const shown of [formatJson(value), formatYaml(value)]) assert.ok(!lines.test(shown), shown);
    }),
    { seed, numRuns: 1000 },
  );
});

test('a description shows hostile members safely, a path from its bytes', () => {
  const lines = describeDocument(
    {
      path: 'a\ufffd',
      path_bytes: Buffer.of(0x61, 0xff).toString('base64'),
      labels: { 'x\ny': '\u001b[2J' },
    },
    new Date(),
  );
  assert.deepEqual(lines, ['Path:    a\\xff', 'Labels:', '  x\\x0ay:  \\x1b[2J']);
});

test('escaping twice escapes the backslashes again, so that nothing is mistaken', () => {
  assert.equal(escapeText(escapeText('a\nb')), 'a\\\\x0ab');
});

test('who did it is shown as history has it, so that --actor takes it, and what is unsafe is escaped', () => {
  const name = Buffer.concat([Buffer.from('\x1b[31m\\'), Buffer.of(0xff)]);
  const actor = `uid:0 pid:7 comm:${escapeName(name)}`;
  assert.equal(shownActor(actor), 'uid:0 pid:7 comm:\\x1b[31m\\\\\\xff');
  assert.equal(shownActor(actor), actor);
  assert.equal(shownActor('api:\u202e\\x41'), 'api:\\xe2\\x80\\xae\\\\x41');
  assert.equal(shownActor(undefined), '');
});
