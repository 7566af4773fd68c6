/** The kinds of BTF types by number (BTF_KIND_*, include/uapi/linux/btf.h). */
const byNumber = [
  'void',
  'int',
  'ptr',
  'array',
  'struct',
  'union',
  'enum',
  'fwd',
  'typedef',
  'volatile',
  'const',
  'restrict',
  'func',
  'func_proto',
  'var',
  'datasec',
  'float',
  'decl_tag',
  'type_tag',
  'enum64',
] as const;

/** `int`, `struct`, `func`… */
export type BtfKind = (typeof byNumber)[number];

/** What a 32-bit word of a record is: the offset of a name, the id of a type, or anything else. */
export const column = { other: 0, name: 1, id: 2 } as const;

type Column = (typeof column)[keyof typeof column];

/** What a record holds after the name and the flags that all begin with (`struct btf_type`). */
interface Shape {
  /** The third word: the id of another type, or a size, or nothing. */
  readonly third: Column;
  /** What follows once: the `int` data, the array, the linkage of a variable. */
  readonly once: readonly Column[];
  /** What follows for each of its `vlen` entries: members, enumerators, parameters, variables. */
  readonly each: readonly Column[];
}

const { other, name, id } = column;
const alone: Shape = { third: other, once: [], each: [] };
const wrapper: Shape = { third: id, once: [], each: [] };
const composite: Shape = { third: other, once: [], each: [name, id, other] };

const shapes: Readonly<Record<BtfKind, Shape>> = {
  void: alone,
  int: { third: other, once: [other], each: [] },
  ptr: wrapper,
  array: { third: other, once: [id, id, other], each: [] },
  struct: composite,
  union: composite,
  enum: { third: other, once: [], each: [name, other] },
  fwd: alone,
  typedef: wrapper,
  volatile: wrapper,
  const: wrapper,
  restrict: wrapper,
  // Its `vlen` is not a count but the linkage.
  func: wrapper,
  func_proto: { third: id, once: [], each: [name, id] },
  var: { third: id, once: [other], each: [] },
  datasec: { third: other, once: [], each: [id, other, other] },
  float: alone,
  decl_tag: { third: id, once: [other], each: [] },
  type_tag: wrapper,
  enum64: { third: other, once: [], each: [name, other, other] },
};

/** Names and shapes of the kinds, and which of them only wrap another type or carry their size. */
export const kinds = {
  byNumber,
  shapeByNumber: byNumber.map((kind) => shapes[kind]),
  modifiers: new Set<BtfKind>(['typedef', 'volatile', 'const', 'restrict', 'type_tag']),
  sized: new Set<BtfKind>(['int', 'struct', 'union', 'enum', 'datasec', 'float', 'enum64']),
} as const;
