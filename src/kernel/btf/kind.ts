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

/** What follows `struct btf_type`: so many bytes once, and so many for each of its `vlen` entries. */
const extraBytes: Readonly<Record<BtfKind, readonly [fixed: number, each: number]>> = {
  void: [0, 0],
  int: [4, 0],
  ptr: [0, 0],
  array: [12, 0],
  struct: [0, 12],
  union: [0, 12],
  enum: [0, 8],
  fwd: [0, 0],
  typedef: [0, 0],
  volatile: [0, 0],
  const: [0, 0],
  restrict: [0, 0],
  func: [0, 0],
  func_proto: [0, 8],
  var: [4, 0],
  datasec: [0, 12],
  float: [0, 0],
  decl_tag: [4, 0],
  type_tag: [0, 0],
  enum64: [0, 12],
};

const extraByNumber = byNumber.map((kind) => extraBytes[kind]);

/** Names of the kinds, and which of them only wrap another type or carry their size. */
export const kinds = {
  byNumber,
  modifiers: new Set<BtfKind>(['typedef', 'volatile', 'const', 'restrict', 'type_tag']),
  sized: new Set<BtfKind>(['int', 'struct', 'union', 'enum', 'datasec', 'float', 'enum64']),
} as const;

/**
 * Bytes that follow the common part of a type.
 * @throws RangeError for a kind newer than this list: its length is unknown
 */
export function recordBytes(kindNumber: number, entries: number): number {
  const extra = extraByNumber[kindNumber];
  if (extra === undefined)
    throw new RangeError(`BTF has types of kind ${kindNumber}, which is newer than this build`);
  return extra[0] + extra[1] * entries;
}
