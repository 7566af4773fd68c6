/** What a number of a map may be: one of these, or within bounds. */
export type NumberRule =
  | { readonly oneOf: readonly number[] }
  | { readonly least: number; readonly most?: number; readonly multipleOf?: number };

/** What the kernel wants a type to be made with (map_alloc_check of each type, kernel/bpf, net/core). */
export interface TypeRule {
  readonly key: NumberRule;
  readonly value: NumberRule;
  readonly entries: NumberRule;
  /** Flags it cannot do without. */
  readonly flags?: readonly string[];
  readonly needs?: 'inner' | 'btf' | 'vmlinux_type';
  /** Where its number of entries must be a power of two pages. */
  readonly isRing?: true;
  /** Flags that the kernel sets itself and refuses to be given. */
  readonly impliedFlags?: readonly string[];
}

const some: NumberRule = { least: 1 };
const none: NumberRule = { oneOf: [0] };
const four: NumberRule = { oneOf: [4] };
const fourOrEight: NumberRule = { oneOf: [4, 8] };

const hash: TypeRule = { key: some, value: some, entries: some };
const array: TypeRule = { key: four, value: some, entries: some };
const descriptors: TypeRule = { key: four, value: four, entries: some };
const sockets: TypeRule = { key: four, value: fourOrEight, entries: some };
const devices: TypeRule = { ...sockets, impliedFlags: ['rdonly_prog'] };
const keyless: TypeRule = { key: none, value: some, entries: some };
const ring: TypeRule = { key: none, value: none, entries: { least: 4096 }, isRing: true };
const cgroupStorage: TypeRule = { key: { oneOf: [8, 16] }, value: some, entries: none };
const storage: TypeRule = { key: four, value: some, entries: none, flags: ['no_prealloc'], needs: 'btf' };

/** Every type that user space can make, tried on Linux 6.18. */
export const typeRules: Readonly<Record<string, TypeRule>> = {
  hash,
  lru_hash: hash,
  percpu_hash: hash,
  lru_percpu_hash: hash,
  hash_of_maps: { key: some, value: four, entries: some, needs: 'inner' },
  array,
  percpu_array: array,
  array_of_maps: { ...descriptors, needs: 'inner' },
  prog_array: descriptors,
  perf_event_array: descriptors,
  cgroup_array: descriptors,
  stack_trace: { key: four, value: { least: 8, multipleOf: 8 }, entries: some },
  lpm_trie: {
    key: { least: 5, most: 260 },
    value: some,
    entries: some,
    flags: ['no_prealloc'],
  },
  devmap: devices,
  devmap_hash: devices,
  cpumap: sockets,
  xskmap: descriptors,
  sockmap: sockets,
  sockhash: { key: some, value: fourOrEight, entries: some },
  reuseport_sockarray: sockets,
  cgroup_storage: cgroupStorage,
  percpu_cgroup_storage: cgroupStorage,
  queue: keyless,
  stack: keyless,
  bloom_filter: keyless,
  sk_storage: storage,
  inode_storage: storage,
  task_storage: storage,
  cgrp_storage: storage,
  struct_ops: { key: four, value: some, entries: { oneOf: [1] }, needs: 'vmlinux_type' },
  ringbuf: ring,
  user_ringbuf: ring,
  arena: { key: none, value: none, entries: some, flags: ['mmapable'] },
};

/** Why a number breaks a rule, to follow its name; undefined where it does not. */
export function whyNot(rule: NumberRule, value: number): string | undefined {
  if ('oneOf' in rule) return rule.oneOf.includes(value) ? undefined : `must be ${rule.oneOf.join(' or ')}`;
  const { least, most = 0xffffffff, multipleOf = 1 } = rule;
  if (value < least) return `must be ${least} at least`;
  if (value > most) return `must be ${most} at most`;
  return value % multipleOf === 0 ? undefined : `must be a multiple of ${multipleOf}`;
}
