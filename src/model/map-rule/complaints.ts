import type { InnerMap, MapSpecification } from '../schema/map-specification.ts';
import { mapFlagBit } from './flags.ts';
import { type TypeRule, typeRules, whyNot } from './type-rules.ts';

/** What is said of a map whose maker has not been asked yet: of the map itself, or of an inner template. */
export type Wanted = Extract<InnerMap, { readonly type: string }> &
  Pick<MapSpecification, 'inner' | 'name' | 'ifindex'>;

/** One thing that is wrong, and where. */
export interface Complaint {
  readonly pointer: string;
  readonly detail: string;
}

/** Pages are of this size on every machine Pinfold runs on that has a ring buffer to check. */
const pageBytes = 4096;
const numaFlag = 'numa_node';

/** All that is wrong with a map, as far as that can be told without asking a kernel. */
export function* complaintsOf(wanted: Wanted): Generator<Complaint> {
  const { type, key_size, value_size, max_entries, map_extra, ifindex } = wanted;
  if (ifindex !== undefined && ifindex !== 0) {
    yield { pointer: '/ifindex', detail: 'maps of a network device end with it, and are not made here' };
  }
  if (map_extra !== undefined && !isU64(map_extra)) {
    yield { pointer: '/map_extra', detail: 'must be a number of 64 bits' };
  }
  const rule = Object.hasOwn(typeRules, type) ? typeRules[type] : undefined;
  if (rule === undefined) {
    yield { pointer: '/type', detail: `must be a type of map: ${Object.keys(typeRules).join(', ')}` };
    return;
  }
  const numbers = [
    ['/key_size', key_size, rule.key],
    ['/value_size', value_size, rule.value],
    ['/max_entries', max_entries, rule.entries],
  ] as const;
  for (const [pointer, value, wants] of numbers) {
    const why = whyNot(wants, value);
    if (why !== undefined) yield { pointer, detail: `of ${aType(type)} ${why}` };
  }
  if (rule.isRing === true && (max_entries % pageBytes !== 0 || !isPowerOfTwo(max_entries))) {
    yield { pointer: '/max_entries', detail: `of ${aType(type)} must be a power of two, in whole pages` };
  }
  yield* flagComplaints(wanted, rule);
  yield* needComplaints(wanted, rule);
}

function* flagComplaints({ type, flags = [], numa_node }: Wanted, rule: TypeRule): Generator<Complaint> {
  for (const [index, name] of flags.entries()) {
    if (mapFlagBit(name) === undefined) yield { pointer: `/flags/${index}`, detail: 'is no flag of maps' };
  }
  for (const name of rule.flags ?? []) {
    if (!flags.includes(name)) yield { pointer: '/flags', detail: `of ${aType(type)} must have ${name}` };
  }
  if (flags.includes(numaFlag) && numa_node === undefined) {
    yield { pointer: '/numa_node', detail: `is wanted with the flag ${numaFlag}` };
  }
}

function* needComplaints({ type, inner, btf }: Wanted, { needs }: TypeRule): Generator<Complaint> {
  if (needs === 'inner' && inner === undefined) {
    yield { pointer: '/inner', detail: `is wanted: what maps in ${aType(type)} are like` };
  }
  if (needs !== 'inner' && inner !== undefined) {
    yield { pointer: '/inner', detail: `${aType(type)} has no maps in it` };
  }
  if (needs === 'btf' && btf === undefined) {
    yield {
      pointer: '/btf',
      detail: `is wanted: ${aType(type)} is made only with the types of keys and values`,
    };
  }
  const named = btf?.vmlinux_value_type_id ?? btf?.vmlinux_value_type;
  if (needs === 'vmlinux_type' && named === undefined) {
    yield { pointer: '/btf/vmlinux_value_type', detail: `is wanted: what ${aType(type)} registers` };
  }
}

function isU64(value: string | number): boolean {
  return BigInt(value) <= 0xffffffffffffffffn;
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

/** A type of map with its article: `an array_of_maps`, `a user_ringbuf`. */
export function aType(type: string): string {
  return `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type}`;
}
