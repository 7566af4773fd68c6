import type { MapDetails } from '../../kernel/iter/map-details.ts';
import { mapFlagNames, typeName } from '../../kernel/object/names.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { MapBtf, MapSpecification } from '../../model/schema/map-specification.ts';
import type { NotRecoverable, SpecificationAbout } from '../../model/schema/specification.ts';

/** What was read, or why it could not be. */
export type Fact<Value> = { readonly value: Value } | { readonly missing: string };

/** All that a map's specification is made from. */
export interface MapFacts {
  readonly info: MapInfo;
  /** What the info structure does not tell. */
  readonly details: Fact<Omit<MapDetails, 'id'>>;
  /** The BTF it has, as it was loaded; undefined where it has none. */
  readonly btf: Fact<Uint8Array> | undefined;
}

/** Where a specification comes from: what `about` says, but for what is not recoverable. */
export type Origin = Omit<SpecificationAbout, 'not_recoverable'>;

/** Flags that only say how the call was made, and are not given again. */
const callFlags: ReadonlyMap<string, string> = new Map([
  ['token_fd', 'it was made with a BPF token, whose descriptor nobody tells'],
  ['vtype_btf_obj_fd', 'its value is a type of a kernel module, which is named by a descriptor'],
  ['path_fd', 'it says how a path was given'],
]);

/** A flag that the kernel sets by itself, and refuses to be given (kernel/bpf/devmap.c). */
const impliedFlags: ReadonlyMap<string, string> = new Map([
  ['devmap', 'rdonly_prog'],
  ['devmap_hash', 'rdonly_prog'],
]);

/**
 * The document that makes an equal map when it is posted. Equal to bpftool: all but ids, times, and what
 * `about.not_recoverable` names.
 */
export function mapSpecification({ info, details, btf }: MapFacts, origin: Origin): MapSpecification {
  const known = 'value' in details ? details.value : undefined;
  const flags = flagsOf(info);
  const isFrozen = known?.isFrozen ?? info.frozen ?? false;
  const types = btfMember(info, btf);
  return {
    name: info.name,
    type: info.type,
    key_size: info.key_size,
    value_size: info.value_size,
    max_entries: info.max_entries,
    ...(flags.length === 0 ? {} : { flags }),
    ...(info.map_extra === undefined ? {} : { map_extra: info.map_extra }),
    ...(known?.numaNode === undefined ? {} : { numa_node: known.numaNode }),
    ...(types === undefined ? {} : { btf: types }),
    ...(info.ifindex === undefined ? {} : { ifindex: info.ifindex }),
    ...(known?.inner === undefined ? {} : { inner: innerMember(known.inner) }),
    ...(isFrozen ? { freeze: true } : {}),
    about: { ...origin, not_recoverable: [...notRecoverable({ info, details, btf })] },
  };
}

/**
 * A specification without all of the map's entries, which says so and why. A frozen map that is made from it
 * stays like that for good: nobody can put in later what is missing.
 */
export function lackingEntries(specification: MapSpecification, why: string): MapSpecification {
  const { about, freeze, entries } = specification;
  if (about === undefined) return specification;
  const without = (entries ?? []).length === 0 ? 'empty' : 'without the rest';
  const forGood = `; freeze is true: a map made from this is frozen ${without}, for good`;
  const missing = { member: 'entries', reason: freeze === true ? `${why}${forGood}` : why };
  return { ...specification, about: { ...about, not_recoverable: [...about.not_recoverable, missing] } };
}

function flagsOf({ type, flags }: MapInfo): string[] {
  return flags.filter((flag) => !callFlags.has(flag) && impliedFlags.get(type) !== flag);
}

function btfMember(info: MapInfo, btf: MapFacts['btf']): MapBtf | undefined {
  const { btf_key_type_id, btf_value_type_id, btf_vmlinux_value_type_id } = info;
  if (btf === undefined || !('value' in btf)) return undefined;
  return {
    blob_base64: Buffer.from(btf.value).toString('base64'),
    ...(btf_key_type_id === undefined ? {} : { key_type_id: btf_key_type_id }),
    ...(btf_value_type_id === undefined ? {} : { value_type_id: btf_value_type_id }),
    ...(btf_vmlinux_value_type_id === undefined ? {} : { vmlinux_value_type_id: btf_vmlinux_value_type_id }),
  };
}

function innerMember(inner: NonNullable<MapDetails['inner']>): NonNullable<MapSpecification['inner']> {
  const type = typeName('map', inner.type);
  const flags = mapFlagNames(inner.flags).filter((flag) => impliedFlags.get(type) !== flag);
  return {
    type,
    key_size: inner.keySize,
    value_size: inner.valueSize,
    max_entries: inner.maxEntries,
    ...(flags.length === 0 ? {} : { flags }),
  };
}

function* notRecoverable({ info, details, btf }: MapFacts): Generator<NotRecoverable> {
  if ('missing' in details) {
    yield { member: 'numa_node', reason: details.missing };
    if (/_of_maps$/.test(info.type)) yield { member: 'inner', reason: details.missing };
  } else if (details.value.inner !== undefined) {
    const reason = 'the kernel keeps of its template no types and no map_extra';
    yield { member: 'inner.btf', reason };
  }
  if (btf !== undefined && 'missing' in btf) yield { member: 'btf', reason: btf.missing };
  for (const flag of info.flags) {
    const reason = callFlags.get(flag);
    if (reason !== undefined) yield { member: `flags.${flag}`, reason };
  }
  if (info.ifindex !== undefined) {
    yield { member: 'ifindex', reason: 'it is offloaded to a network device of one namespace' };
  }
  if (info.owner_prog_type !== undefined) {
    const reason = `the first program put into it decided that it takes ${info.owner_prog_type}`;
    yield { member: 'owner_prog_type', reason };
  }
}
