import { escapeText } from '../escape.ts';
import { escapeBytes, pathMembers } from '../path.ts';
import type { FindingSubject } from '../schema/finding.ts';
import type { LinkInfo } from '../schema/link-info.ts';
import type { MapInfo } from '../schema/map-info.ts';
import type { MountDocument } from '../schema/pin.ts';
import type { ProgramInfo } from '../schema/program-info.ts';
import type { WorldObject, WorldPin } from './world.ts';

/** What the kernel tells of something that can be pinned. */
export type PinnableInfo = MapInfo | ProgramInfo | LinkInfo;

/** An object as a subject; with its first pin, where it has one, because a path says more than an id. */
export function objectSubject({ info, pins }: WorldObject<PinnableInfo>): FindingSubject {
  const [pin] = pins;
  return {
    kind: info.kind,
    id: info.id,
    type: info.type,
    ...('name' in info ? { name: info.name } : {}),
    ...(pin === undefined ? {} : { mount: pin.mount, ...pathMembers(pin.path) }),
  };
}

/** An object for people: `hash map 12 "tc_globals"`. */
export function objectWords(info: PinnableInfo): string {
  const name = 'name' in info && info.name !== '' ? ` "${escapeBytes(info.name)}"` : '';
  return `${info.type} ${info.kind} ${info.id}${name}`;
}

/** The paths of pins as evidence. */
export function pathsOf(pins: readonly WorldPin[]): readonly { path: string; path_bytes?: string }[] {
  return pins.map(({ mount, path }) => ({ mount, ...pathMembers(path) }));
}

/** `1 pin`, `2 pins`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A path for people, in quotes. */
export function quoted(path: string): string {
  return `"${escapeBytes(path)}"`;
}

/** A time span for people, in its largest whole unit. */
export function spanWords(ms: number): string {
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
  ] as const;
  const [noun, unit] = units.find(([, each]) => ms >= each) ?? ['second', 1000];
  return countOf(Math.floor(ms / unit), noun);
}

/** A bpffs as a subject. */
export function mountSubject({ id }: MountDocument): FindingSubject {
  return { mount: id };
}

/** A bpffs for people. */
export function mountWords({ id, paths: [first] }: MountDocument): string {
  return first === undefined ? `bpffs ${id}` : `bpffs ${id} at "${escapeText(first.path)}"`;
}
