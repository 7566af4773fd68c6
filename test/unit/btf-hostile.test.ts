import assert from 'node:assert/strict';
import test from 'node:test';
import type { Btf } from '../../src/kernel/btf/btf.ts';
import { compileCodec } from '../../src/kernel/btf/codec/compile.ts';
import { memberOffset } from '../../src/kernel/btf/member-offset.ts';
import { parseBtf } from '../../src/kernel/btf/parse.ts';
import { renderC, renderTypes, typeName } from '../../src/kernel/btf/render/c-source.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { BtfBuilder, type MemberSpec } from '../support/btf-builder.ts';

function build(add: (builder: BtfBuilder) => void): Btf {
  const builder = new BtfBuilder();
  add(builder);
  return parseBtf(builder.build());
}

/** Runs it, which must end with this sentence, and counts the words of the BTF it reads. */
function refused(btf: Btf, sentence: RegExp, run: () => unknown): number {
  let reads = 0;
  const read = btf.word.bind(btf);
  btf.word = (id, index) => {
    reads++;
    return read(id, index);
  };
  assert.throws(run, (error: unknown) => {
    assert.ok(isPinfoldError(error, 'invalid_input'), String(error));
    assert.match(error.message, sentence);
    return true;
  });
  return reads;
}

const whole = (): Buffer => {
  const builder = new BtfBuilder();
  const int = builder.int('int', 4, 'signed');
  builder.struct('s', 4, [{ name: 'a', type: int, at: 0 }]);
  return builder.build();
};

/** One 32-bit word of a small blob overwritten, and what is then said. Its header has 24 bytes. */
const damages: readonly (readonly [string, number, number, RegExp])[] = [
  ['the magic number', 0, 0x0001_eb9e, /magic number at byte 0/],
  ['the version', 0, 0x0002_eb9f, /version 2 is not 1 at byte 2/],
  ['the length of the header', 4, 23, /a header of 23 bytes/],
  ['a header longer than all', 4, 0xffff_fff0, /a header of 4294967280 bytes/],
  ['the offset of the types', 8, 0xffff_fff0, /a section ends at \d+, behind all \d+ bytes at byte 8/],
  ['the length of the types', 12, 0xffff_fffc, /a section ends at \d+/],
  ['types that are not whole words', 12, 15, /not whole words/],
  ['types cut inside of a record', 12, 36, /ends inside of a record in type 2/],
  ['the length of the names', 20, 0x7fff_ffff, /a section ends at \d+/],
  ['no names at all', 20, 0, /names do not end with a NUL/],
  ['names that do not end', 20, 3, /names do not end with a NUL/],
  ['a first name that is not empty', 16, 41, /first name is not empty|behind all/],
  ['the name of a type', 24, 0xffff, /no name at 65535/],
  ['a kind from the future', 28, 30 << 24, /kind 30 is newer than this build in type 1/],
  ['a listed void', 28, 0, /a void that is listed in type 1/],
  ['flags without a meaning', 28, 0x2100_0000, /flags without a meaning in type 1/],
  ['more members than there are', 44, 0x0400_ffff, /ends inside of a record in type 2/],
  ['the type of a member', 56, 3, /there is no type 3, only 2/],
];

for (const [what, at, word, sentence] of damages) {
  test(`damage is refused with its place: ${what}`, () => {
    const bytes = whole();
    bytes.writeUInt32LE(word >>> 0, at);
    assert.throws(
      () => parseBtf(bytes),
      (error: unknown) => isPinfoldError(error, 'invalid_input') && sentence.test(error.message),
    );
  });
}

test('a blob that does not lie at a multiple of four reads the same', () => {
  const bytes = whole();
  const shifted = Buffer.concat([Buffer.alloc(1), bytes]).subarray(1);
  assert.equal(typeName(parseBtf(shifted), 2), 'struct s');
});

test('split BTF goes on from its base, and ids and names beyond both are refused', () => {
  const base = new BtfBuilder();
  const int = base.int('int', 4, 'signed');
  const baseBtf = parseBtf(base.build());
  const split = new BtfBuilder(base.end);
  const id = split.struct('s', 8, [{ name: 'int', type: int, at: 0 }]);
  const btf = parseBtf(split.build(), baseBtf);
  assert.deepEqual([btf.firstId, btf.typeCount, id], [2, 2, 2]);
  assert.deepEqual(compileCodec(btf, id).decode(Buffer.from('ffffffff00000000', 'hex')), { int: -1 });
  assert.equal(btf.find('int', 'int'), int);
  assert.throws(() => parseBtf(split.build()), /the first name is not empty|there is no/);
  const beyond = new BtfBuilder(base.end);
  beyond.ptr(3);
  assert.throws(() => parseBtf(beyond.build(), baseBtf), /there is no type 3, only 2/);
});

/** Each level has two of the one before: 2^levels if every use were walked. */
function doubling(levels: number, anonymous: boolean, leafSize: number): Btf {
  return build((b) => {
    let inner = leafSize === 0 ? b.struct('leaf', 0, []) : b.int('u8', 1);
    for (let level = 0; level < levels; level++) {
      const name = anonymous ? '' : `l${level}`;
      const member = (which: string): MemberSpec => ({ name: anonymous ? '' : which, type: inner, at: 0 });
      inner = b.union(name, leafSize, [member('a'), member('b')]);
    }
    b.struct('top', leafSize, [{ name: 'all', type: inner, at: 0 }]);
  });
}

test('a kilobyte of types that double at each level is refused, not walked', () => {
  for (const [anonymous, leafSize] of [
    [false, 0],
    [false, 1],
    [true, 1],
  ] as const) {
    const btf = doubling(30, anonymous, leafSize);
    const sentence = /values in \d bytes are too many|grow without end/;
    const reads = refused(btf, sentence, () => compileCodec(btf, btf.typeCount));
    assert.ok(reads < 200_000, `${reads} reads`);
  }
  const anonymous = doubling(30, true, 1);
  const reads = refused(anonymous, /grow without end/, () => [...renderC(anonymous)]);
  assert.ok(reads < 200_000, `${reads} reads`);
  const named = doubling(30, false, 1);
  assert.equal([...renderC(named)].join('').match(/^union /gm)?.length, 30);
});

test('types that contain themselves, or only each other, are refused everywhere', () => {
  const struct = build((b) => b.struct('s', 4, [{ name: 'x', type: 1, at: 0 }]));
  refused(struct, /it contains itself in type 1/, () => compileCodec(struct, 1));
  refused(struct, /it contains itself in type 1/, () => [...renderTypes(struct, [1])]);
  const anonymous = build((b) => b.struct('', 4, [{ name: '', type: 1, at: 0 }]));
  refused(anonymous, /nested without end|itself|nested too deeply/, () => memberOffset(anonymous, 1, 'x'));
  const typedefs = build((b) => {
    b.typedef('a', 2);
    b.typedef('b', 1);
  });
  for (const run of [() => typedefs.resolve(1), () => compileCodec(typedefs, 1), () => typedefs.sizeOf(2)]) {
    refused(typedefs, /more than 32 typedefs/, run);
  }
  refused(typedefs, /itself|deeply/, () => [...renderC(typedefs)]);
  const pointers = build((b) => b.ptr(1));
  refused(pointers, /wrapped too often/, () => typeName(pointers, 1));
  refused(pointers, /nested too deeply/, () => [...renderC(pointers)]);
  const arrays = build((b) => b.array(1, 1));
  refused(arrays, /arrays of arrays/, () => compileCodec(arrays, 1));
});

test('nesting is followed 32 levels deep and no further', () => {
  const chain = (levels: number): Btf =>
    build((b) => {
      let inner = b.int('u8', 1);
      for (let level = 0; level < levels; level++)
        inner = b.struct('s', 1, [{ name: 'x', type: inner, at: 0 }]);
    });
  const deepest = chain(32);
  compileCodec(deepest, deepest.typeCount);
  const deeper = chain(33);
  refused(deeper, /nested too deeply/, () => compileCodec(deeper, deeper.typeCount));
  const endless = chain(60_000);
  refused(endless, /nested too deeply/, () => compileCodec(endless, endless.typeCount));
  refused(endless, /nested too deeply/, () => [...renderTypes(endless, [endless.typeCount])]);
});

test('a structure of four gigabytes of padding is refused, not printed', () => {
  const btf = build((b) => b.struct('s', 0xffff_fff8, [{ name: 'x', type: b.int('u64', 8), at: 0 }]));
  refused(btf, /grow without end/, () => [...renderC(btf)]);
});

test('sizes beyond what a size can say are refused', () => {
  const btf = build((b) => b.array(b.array(b.int('u32', 4), 0xffff), 0xffff));
  refused(btf, /larger than 4 GiB/, () => compileCodec(btf, 3));
});

/** Types that no compiler makes, and why they have no values. */
const impossible: readonly (readonly [(b: BtfBuilder) => number, RegExp])[] = [
  [(b) => b.fwd('later'), /fwd has no values/],
  [(b) => b.func('f', b.proto(0, [])), /func has no values/],
  [(b) => b.qualifier('const', 0), /void has no values/],
  [(b) => b.int('wide', 17), /an integer of 17 bytes/],
  [(b) => b.int('empty', 4, 'none', 0), /an integer of 4 bytes, 0 bits/],
  [(b) => b.int('more', 1, 'none', 9), /an integer of 1 bytes, 9 bits/],
  [(b) => b.float('f', 3), /a float of 3 bytes/],
  [(b) => b.enum('e', 3, {}), /an enumeration of 3 bytes/],
  [(b) => b.struct('s', 4, [{ name: 'x', type: b.int('u32', 4), at: 8 }]), /member x is not where it can be/],
  [(b) => b.struct('s', 9, [{ name: 'x', type: b.ptr(0), at: 4 }]), /member x begins inside of a byte/],
  [(b) => b.struct('s', 4, [{ name: 'x', type: b.ptr(0), at: 0, bits: 3 }]), /a bit field of ptr/],
  [(b) => b.struct('s', 8, [{ name: 'x', type: b.int('u8', 1), at: 0, bits: 9 }]), /wider than its type/],
  [(b) => b.struct('s', 4, [{ name: 'n'.repeat(512), type: b.int('u8', 1), at: 0 }]), /a name is too long/],
  [
    (b) => b.struct('n'.repeat(4096), 4, [{ name: 'n'.repeat(5000), type: 1, at: 0 }]),
    /longer than 4095 bytes/,
  ],
  [
    (b) => {
      const u8 = b.int('u8', 1);
      return b.struct('s', 1, [
        { name: 'x', type: u8, at: 0 },
        { name: 'y', type: u8, at: 0 },
      ]);
    },
    /member y is not where it can be/,
  ],
  [
    (b) => {
      const u8 = b.int('u8', 1);
      const names = ['x', 'x@0', 'x'].map((name) => ({ name, type: u8, at: 0 }));
      return b.union('u', 1, names);
    },
    /two members are called x@0/,
  ],
  [
    (b) => {
      const large = b.array(b.int('u8', 1), 1024 * 1024);
      return b.union(
        'u',
        1024 * 1024,
        Array.from({ length: 65 }, (_, at) => ({ name: `m${at}`, type: large, at: 0 })),
      );
    },
    /a union of too many large views/,
  ],
];

for (const [add, sentence] of impossible) {
  test(`a type without values is refused: ${sentence.source}`, () => {
    let id = 0;
    const btf = build((b) => {
      id = add(b);
    });
    refused(btf, sentence, () => compileCodec(btf, id));
  });
}

test('names that would leave the comments and lines of C are made harmless', () => {
  const btf = build((b) => {
    const u8 = b.int('unsigned char', 1);
    b.struct('a;\n#include "/etc/passwd"', 1, [{ name: 'x*/ evil()', type: u8, at: 0 }]);
    b.ptr(b.typeTag('"))) int x; //', u8));
  });
  assert.equal(
    [...renderTypes(btf, [2])].join(''),
    'struct a___include __etc_passwd_ {\n\tunsigned char x__ evil__;\n};\n\n',
  );
  assert.equal(typeName(btf, 4), 'unsigned char __attribute__((btf_type_tag("_))) int x; //"))) *');
});
