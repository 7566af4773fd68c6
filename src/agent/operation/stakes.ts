import type { Losing, Move } from './move.ts';
import type { Line } from './planning.ts';
import type { PinnedObject } from './sink.ts';

/** The names that go, and what else the operation itself does to the same objects. */
export interface Stakes {
  readonly losing: readonly Losing[];
  /** Objects that get a pin which the counters do not show yet; one entry a pin. */
  readonly arriving: readonly PinnedObject[];
  /** How many references on an object are this process's own now. */
  readonly oursOf: (object: PinnedObject) => number;
}

/** What one object stands to lose. */
export interface AtStake {
  readonly object: PinnedObject;
  readonly losing: readonly Losing[];
  /** References that go: one for each inode that loses its last name. */
  readonly going: number;
  /** References that counters do not show, less those that have gone before they were read. */
  readonly unseen: bigint;
  /** References of this process. */
  readonly ours: number;
}

/** Where the request asks for each move, where it asks for several things. */
export type Pointers = ReadonlyMap<Move, string>;

/** Where a request asks for the moves of its lines. */
export function pointersOf(lines: readonly Line[]): Pointers {
  return new Map(
    lines.flatMap(({ moves, pointer }) =>
      pointer === undefined ? [] : moves.map((move) => [move, pointer] as const),
    ),
  );
}

/** The names that moves let go, each with where it was asked for. */
export function losingOf(moves: readonly Move[], pointers: Pointers): readonly Losing[] {
  return moves.flatMap((move) => {
    const losing = move.losing();
    const pointer = pointers.get(move);
    if (losing === undefined) return [];
    return pointer === undefined ? [losing] : [{ ...losing, pointer }];
  });
}

/** The objects that lose references, each once. */
export function atStake(stakes: Stakes): readonly AtStake[] {
  const byObject = new Map<string, Losing[]>();
  for (const losing of stakes.losing) push(byObject, objectKey(losing.subject.object), losing);
  return [...byObject.values()].flatMap((losing) => {
    const object = losing[0]?.subject.object;
    const going = inodesGoing(losing);
    if (object === undefined || going === 0) return [];
    const arriving = stakes.arriving.filter((other) => isOneObject(other, object)).length;
    const closed = inodesGoing(losing.filter(({ isClosed }) => isClosed === true));
    return { object, losing, going, unseen: BigInt(arriving + closed), ours: stakes.oursOf(object) };
  });
}

/** An inode goes, and its reference with it, when every name it has is among those that go (hard links). */
function inodesGoing(losing: readonly Losing[]): number {
  const byInode = new Map<unknown, Losing[]>();
  for (const name of losing) push(byInode, name.subject.state?.inode.inode ?? name.subject, name);
  return [...byInode.values()].filter(isLosingAll).length;
}

function isLosingAll(names: readonly Losing[]): boolean {
  if (names.some(({ isLastName }) => isLastName === true)) return true;
  const links = names[0]?.subject.state?.inode.links ?? 1;
  return names.filter(({ isLastName }) => isLastName === undefined).length >= links;
}

/** Tells objects apart while one operation holds them. */
export function objectKey({ kind, id }: Pick<PinnedObject, 'kind' | 'id'>): string {
  return `${kind}:${id}`;
}

function isOneObject(one: PinnedObject, other: PinnedObject): boolean {
  return one.id === other.id && one.kind === other.kind;
}

function push<Key>(lists: Map<Key, Losing[]>, key: Key, losing: Losing): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [losing]);
  else list.push(losing);
}
