import fc from 'fast-check';
import type { BtfBuilder, MemberSpec } from './btf-builder.ts';

/** A type as an idea: how to lay it out as BTF. */
export interface Shape {
  readonly size: number;
  /** Set for structures and unions, which may be members without a name. */
  readonly isComposite?: boolean;
  /** Adds it, and all it needs, and gives its id. */
  readonly add: (builder: BtfBuilder) => number;
}

const encodings = ['none', 'signed'] as const;

const leaf: fc.Arbitrary<Shape> = fc.oneof(
  fc.tuple(fc.constantFrom(1, 2, 4, 8, 16), fc.constantFrom(...encodings)).map(([size, encoding]) => ({
    size,
    add: (b: BtfBuilder) => b.int(`int${size}`, size, encoding),
  })),
  fc.constant({ size: 1, add: (b: BtfBuilder) => b.int('_Bool', 1, 'bool') }),
  fc.constant({ size: 8, add: (b: BtfBuilder) => b.ptr(0) }),
  fc.constantFrom(4, 8, 16).map((size) => ({ size, add: (b: BtfBuilder) => b.float('float', size) })),
  fc.nat(24).map((size) => ({ size, add: (b: BtfBuilder) => b.array(b.int('char', 1, 'signed'), size) })),
  fc.tuple(fc.constantFrom(1, 2, 4, 8), fc.boolean()).map(([size, isSigned]) => ({
    size,
    add: (b: BtfBuilder) => b.enum('e', size, { ZERO: 0, ONE: 1, MANY: 77, LEAST: -1 }, isSigned),
  })),
  fc.boolean().map((isSigned) => ({
    size: 8,
    add: (b: BtfBuilder) => b.enum64('wide', 8, { ZERO: 0n, FAR: 1n << 40n, LEAST: -1n }, isSigned),
  })),
  fc.constant({ size: 4, add: (b: BtfBuilder) => b.struct('bpf_spin_lock', 4, []) }),
);

/** One member of a structure: a type, or bits of a number; with padding before it. */
interface Piece {
  readonly shape: Shape;
  readonly gap: number;
  readonly isAnonymous: boolean;
  /** For bit fields: the width; the type is then an integer of this size. */
  readonly bits?: { readonly width: number; readonly type: number; readonly isSigned: boolean };
}

function piece(inner: fc.Arbitrary<Shape>): fc.Arbitrary<Piece> {
  const bits = fc.constantFrom(1, 2, 4, 8).chain((type) =>
    fc.record({
      type: fc.constant(type),
      width: fc.integer({ min: 1, max: type * 8 }),
      isSigned: fc.boolean(),
    }),
  );
  return fc.record(
    { shape: inner, gap: fc.nat(9), isAnonymous: fc.boolean(), bits },
    { requiredKeys: ['shape', 'gap', 'isAnonymous'] },
  );
}

/** Members one after the other, bit by bit. */
function structOf(pieces: readonly Piece[], tail: number): Shape {
  let end = 0;
  const places = pieces.map(({ shape, gap, bits }) => {
    const start = bits === undefined ? 8 * (Math.ceil(end / 8) + gap) : end + gap;
    end = start + (bits?.width ?? shape.size * 8);
    return start;
  });
  const size = Math.ceil(end / 8) + tail;
  return { size, isComposite: true, add: (b) => b.struct('s', size, membersOf(b, pieces, places)) };
}

function unionOf(pieces: readonly Piece[]): Shape {
  const size = Math.max(...pieces.map(({ shape, bits }) => (bits === undefined ? shape.size : 8)));
  const starts = pieces.map(() => 0);
  return { size, isComposite: true, add: (b) => b.union('u', size, membersOf(b, pieces, starts)) };
}

function membersOf(b: BtfBuilder, pieces: readonly Piece[], starts: readonly number[]): MemberSpec[] {
  const hasBits = pieces.some(({ bits }) => bits !== undefined);
  return pieces.map(({ shape, bits, isAnonymous }, index) => {
    const at = starts[index] ?? 0;
    // Members of anonymous structures share the names of the one around, so no two may be the same.
    const name = `m${b.end.types}_${index}`;
    if (bits === undefined) {
      const isNamed = shape.isComposite !== true || !isAnonymous;
      const plain = { type: shape.add(b), at, ...(hasBits ? { bits: 0 } : {}) };
      return isNamed ? { name, ...plain } : plain;
    }
    const type = b.int(`int${bits.type}`, bits.type, bits.isSigned ? 'signed' : 'none');
    return { name, type, at, bits: bits.width };
  });
}

/** Types of every kind in each other, as a compiler might have made them from odd source. */
export const shapes: fc.Arbitrary<Shape> = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    leaf,
    fc
      .tuple(fc.array(piece(tie('shape')), { maxLength: 6 }), fc.nat(5))
      .map(([pieces, tail]) => structOf(pieces, tail)),
    fc.array(piece(tie('shape')), { minLength: 1, maxLength: 4 }).map(unionOf),
    fc.tuple(tie('shape'), fc.nat(4)).map(([element, length]) => ({
      size: element.size * length,
      add: (b: BtfBuilder) => b.array(element.add(b), length),
    })),
    tie('shape').map((inner) => ({
      size: inner.size,
      add: (b: BtfBuilder) => b.typedef('t', b.qualifier('const', inner.add(b))),
    })),
  ),
})).shape;
