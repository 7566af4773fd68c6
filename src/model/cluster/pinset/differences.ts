import type { MapInfo } from '../../schema/map-info.ts';
import type { DesiredPin, Drift } from '../../schema/pinset.ts';
import type { ObservedPin } from './observed.ts';

/** What the kernel is told with a flag but does not keep with the map (bpf_map_flags_retain_permanent). */
const notKept = ['rdonly', 'wronly', 'token_fd', 'path_fd', 'vtype_btf_obj_fd'];
/** What it adds by itself, or what is said in another way. */
const implied = ['rdonly_prog', 'numa_node'];

/** Drifts show so much of a value. */
const shownCharsMax = 200;

/** One thing that differs. */
export function driftOf(path: string, code: string, expected?: unknown, actual?: unknown): Drift {
  return {
    path,
    code,
    ...(expected === undefined ? {} : { expected: shown(expected) }),
    ...(actual === undefined ? {} : { actual: shown(actual) }),
  };
}

/** How what is pinned differs from the map or the object that is wanted; nothing where it is one. */
export function objectDifferences(wanted: DesiredPin, pin: ObservedPin): readonly Drift[] {
  if (wanted.expect !== undefined) return expectationDifferences(wanted, pin);
  if (pin.map === undefined) return [driftOf(wanted.path, 'wrong_kind', 'map', pin.kind)];
  return mapDifferences(wanted, pin.map);
}

function expectationDifferences({ path, expect = {} }: DesiredPin, pin: ObservedPin): readonly Drift[] {
  const { kind, type, name, tag } = pin;
  const actual: Readonly<Record<string, string | undefined>> = {
    ...{ kind, type, name, tag },
    fingerprint: pin.identity.fingerprint,
  };
  return Object.entries(expect)
    .filter(([member, value]) => actual[member] !== value)
    .map(([member, value]) => driftOf(path, `wrong_${member}`, value, actual[member] ?? 'absent'));
}

function mapDifferences({ path, map }: DesiredPin, actual: MapInfo): readonly Drift[] {
  if (map === undefined) return [];
  const { type, key_size, value_size, max_entries, name, map_extra, freeze } = map;
  const found: Drift[] = [];
  const compare = (code: string, expected: unknown, value: unknown): void => {
    if (expected !== undefined && expected !== value)
      found.push(driftOf(path, code, expected, value ?? 'absent'));
  };
  compare('wrong_type', type, actual.type);
  compare('key_size', key_size, actual.key_size);
  compare('value_size', value_size, actual.value_size);
  if (!isRounded(actual, max_entries)) compare('max_entries', max_entries, actual.max_entries);
  compare('flags', flagsText(map.flags ?? [], actual.flags), flagsText(actual.flags, map.flags ?? []));
  compare('wrong_name', name, actual.name);
  compare('map_extra', map_extra === undefined ? undefined : numberText(map_extra), actual.map_extra ?? '0');
  if (freeze === true) compare('not_frozen', true, actual.frozen ?? false);
  return found;
}

/** Lists of each processor are of one length: the kernel makes it a multiple of their number (hashtab.c). */
function isRounded({ flags, max_entries }: MapInfo, wanted: number): boolean {
  return flags.includes('no_common_lru') && max_entries >= wanted && max_entries - wanted < 4096;
}

/** A number of 64 bits as the kernel's is told, however it was written. */
function numberText(value: string | number): string {
  return BigInt(value).toString();
}

/** The flags that tell maps apart; what is implied counts only where both have it, or neither. */
function flagsText(flags: readonly string[], others: readonly string[]): string {
  const told = flags.filter((flag) => !notKept.includes(flag));
  const compared = told.filter((flag) => !implied.includes(flag) || others.includes(flag));
  return [...new Set(compared)].sort().join(',');
}

/** How permissions, labels and owner differ; what is not wanted in some way may be as it is. */
export function attributeDifferences(wanted: DesiredPin, pin: ObservedPin): readonly Drift[] {
  const { path, mode, uid, gid, labels, owner } = wanted;
  const found: Drift[] = [];
  const compare = (code: string, expected: unknown, actual: unknown): void => {
    if (expected !== undefined && expected !== actual) found.push(driftOf(path, code, expected, actual));
  };
  compare('mode', mode === undefined ? undefined : octal(mode), octal(pin.mode));
  compare('uid', uid, pin.uid);
  compare('gid', gid, pin.gid);
  compare('labels', labels === undefined ? undefined : labelsText(labels), labelsText(pin.labels));
  compare('owner', owner, pin.owner ?? '');
  return found;
}

function octal(mode: string): string {
  return mode.replace(/^0*/, '').padStart(4, '0');
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1));
  return pairs.map(([key, value]) => `${key}=${value}`).join(',');
}

function shown(value: unknown): string {
  return String(value).slice(0, shownCharsMax);
}
