import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { entryText, parseEntryText } from '../../src/cli/entry-text.ts';
import { isPrintable } from '../../src/model/escape.ts';

test('what a dump prints of a key or value, the command line reads back as the same', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '12',
      '9007199254740993',
      'null',
      'true',
      '"k"',
      'k',
      'hex:00',
      '',
      ' ',
      '{',
      '12000000',
      '\u202e',
      'a\\b',
    ),
  );
  fc.assert(
    fc.property(fc.oneof(texts, fc.integer(), fc.dictionary(texts, texts)), (value) => {
      const shown = entryText(value);
      const read = parseEntryText(shown);
      assert.ok('json' in read);
      const meant: unknown = JSON.parse(read.json);
      // A number of 64 bits is a text to the API, and a number to whoever types it; both are taken.
      if (typeof value === 'string' && typeof meant === 'number') assert.equal(String(meant), value);
      else assert.deepEqual(meant, JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 2000 },
  );
});

test('nothing that it prints moves or hides what a terminal shows', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = entryText(text);
      assert.ok(isPrintable(shown.replaceAll('\\', '').replaceAll('  ', ' ').trim()), shown);
    }),
  );
});
