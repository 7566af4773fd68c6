import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { isPinfoldError } from '../../src/model/error.ts';
import {
  isWithin,
  joinPath,
  nameOf,
  type PinPath,
  parentOf,
  parsePath,
  parsePathBytes,
  parseUrlPath,
  pathMembers,
  urlOf,
} from '../../src/model/path.ts';
import { testSeed } from '../support/seed.ts';

const seed = testSeed();

/** The rules once more, on bytes and written differently, as the judge. */
function isPinPath(bytes: Uint8Array): boolean {
  if (bytes.length === 0 || bytes.length > 4095) return false;
  let nameLength = 0;
  const names: number[] = [];
  for (const byte of [...bytes, 47]) {
    if (byte === 0 || byte === 46) return false;
    if (byte !== 47) nameLength++;
    else {
      if (nameLength === 0 || nameLength > 255) return false;
      names.push(nameLength);
      nameLength = 0;
    }
  }
  const first = Buffer.from(bytes).toString('latin1', 0, names[0]);
  return first !== 'pinfold-staging';
}

function accepted(parse: () => PinPath): PinPath | undefined {
  try {
    return parse();
  } catch (error) {
    if (isPinfoldError(error, 'bad_path')) return undefined;
    throw error;
  }
}

/** Names at and around every rule, glued with slashes: far more often nearly right than random bytes are. */
const piece = fc.oneof(
  fc.uint8Array({ maxLength: 6 }),
  fc
    .constantFrom('', '.', '..', 'a.b', 'pinfold-staging', '%2e%2e', '%00', '\n', '\u001b[31m', 'ä', '\0')
    .map(utf8),
  fc.constantFrom(254, 255, 256).map((length) => utf8('n'.repeat(length))),
  fc.constantFrom(Uint8Array.of(0xff, 0xfe), Uint8Array.of(0xc3), Uint8Array.of(0x80)),
  fc.string({ minLength: 1, maxLength: 8 }).map(utf8),
);
const pathBytes = fc
  .array(piece, { minLength: 1, maxLength: 18 })
  .map((pieces) =>
    Buffer.concat(pieces.flatMap((bytes, index) => (index === 0 ? [bytes] : [utf8('/'), bytes]))),
  );

function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

test('of 20,000 generated paths exactly those that bpffs could hold are accepted', () => {
  let good = 0;
  fc.assert(
    fc.property(pathBytes, (bytes) => {
      const path = accepted(() => parsePathBytes(bytes));
      assert.equal(path !== undefined, isPinPath(bytes));
      if (path !== undefined) {
        good++;
        assert.equal(Buffer.compare(Buffer.from(path, 'latin1'), bytes), 0);
      }
    }),
    { seed, numRuns: 20_000 },
  );
  assert.ok(good > 1000, `only ${good} of the generated paths were good ones`);
});

test('a path survives its URL, its JSON and being taken apart', () => {
  fc.assert(
    fc.property(pathBytes, (bytes) => {
      const path = accepted(() => parsePathBytes(bytes));
      fc.pre(path !== undefined);
      assert.equal(parseUrlPath(urlOf(path)), path);
      assert.match(urlOf(path), /^[A-Za-z0-9_~/%-]+$/);
      const document = pathMembers(path);
      const back =
        document.path_bytes === undefined
          ? parsePath(document.path)
          : parsePathBytes(Buffer.from(document.path_bytes, 'base64'));
      assert.equal(back, path);
      assert.equal(joinPath(parentOf(path), nameOf(path)), path);
      assert.ok(isWithin(path, parentOf(path)));
    }),
    { seed, numRuns: 5000 },
  );
});

test('percent signs are decoded once, and what they hide is judged like the rest', () => {
  assert.equal(parseUrlPath('a%2Fb'), 'a/b');
  assert.equal(parseUrlPath('%FF%0a'), '\xff\n');
  assert.equal(parseUrlPath('%252e'), '%2e');
  for (const bad of [
    '%2e%2e',
    'a/%2E',
    '%00',
    '%',
    'a%2',
    '%zz',
    '%2f',
    'a%2f%2fb',
    'pinfold%2Dstaging/x',
    '',
  ]) {
    assert.equal(
      accepted(() => parseUrlPath(bad)),
      undefined,
      bad,
    );
  }
});

test('half of a character is no name: as UTF-8 it would be another', () => {
  for (const bad of ['\ud800', 'a/\udc00', '\udc00\ud800', 'x\ud83dy']) {
    assert.equal(
      accepted(() => parsePath(bad)),
      undefined,
      JSON.stringify(bad),
    );
  }
  assert.equal(parsePath('\ud83d\ude00'), '\xf0\x9f\x98\x80');
  assert.equal(parsePath('\ufffd'), '\xef\xbf\xbd');
});

test('a name of 255 bytes and a path of 4,095 are good, one byte more is not', () => {
  const name = (length: number): string => 'n'.repeat(length);
  assert.equal(parsePath(name(255)).length, 255);
  assert.equal(
    accepted(() => parsePath(name(256))),
    undefined,
  );
  assert.equal(parsePath('ä'.repeat(127)).length, 254);
  assert.equal(
    accepted(() => parsePath('ä'.repeat(128))),
    undefined,
  );
  const longest = `${`${name(255)}/`.repeat(15)}${name(255)}`;
  assert.equal(parsePath(longest).length, 4095);
  const twice = `${name(127)}/${name(127)}`;
  const tooLong = `${`${name(255)}/`.repeat(15)}${twice}x`;
  assert.equal(tooLong.length, 4096);
  assert.equal(
    accepted(() => parsePath(tooLong)),
    undefined,
  );
});

test('prefixes match whole names only', () => {
  const path = parsePath;
  assert.ok(isWithin(path('a/b'), path('a')));
  assert.ok(isWithin(path('a'), path('a')));
  assert.ok(isWithin(path('a'), ''));
  assert.ok(!isWithin(path('ab'), path('a')));
  assert.ok(!isWithin(path('a'), path('a/b')));
});

test('only the staging directory itself is closed to requests, not names that resemble it', () => {
  assert.equal(
    accepted(() => parsePath('pinfold-staging')),
    undefined,
  );
  assert.equal(
    accepted(() => parsePath('pinfold-staging/x')),
    undefined,
  );
  assert.equal(parsePath('pinfold-stagings'), 'pinfold-stagings');
  assert.equal(parsePath('a/pinfold-staging'), 'a/pinfold-staging');
});
