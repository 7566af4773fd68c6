import { tryDelete, tryUpdate } from '../../kernel/edit/elements.ts';
import { lookupElement } from '../../kernel/entries/elements.ts';
import type { MapShape } from '../../kernel/entries/map-shape.ts';
import { openPlainReader } from '../../kernel/entries/open-reader.ts';
import type { HeldObject, LastWrite, WrittenKeys } from '../../kernel/kernel.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { hasExactKey } from '../dump/exact-key.ts';

/** The three maps of a copy, held, and how the entries of the first two are laid out. */
export interface CopyMaps {
  readonly old: HeldObject;
  readonly fresh: HeldObject;
  /** A hash of what was copied last, by key: it outlives this process. */
  readonly base: HeldObject;
  readonly shape: MapShape;
  /** Of the new map, whose entries have the same sizes. */
  readonly freshShape: MapShape;
}

/** What was copied of an entry, and the pass that has seen it last; all are byte strings. */
interface CopiedEntry {
  readonly value: string;
  seenBy: CopyPass | undefined;
}

/** What was copied last, by key. */
export type Copied = Map<string, CopiedEntry>;

/** Entries that are read at a time; between them others may have the event loop. */
const readAtMost = 1024;

/**
 * Brings changes of the old map into the new one: what differs from what was copied last.
 *
 * While only we have the new map it is made equal. Once others write to it, theirs is newer: an entry is
 * changed or removed only where the new map still has what was copied, and made only where it has none. Where
 * it is heard who writes what, an entry that was last written through the new map is left alone, also where
 * that was the removal of one that was not there yet. The kernel cannot compare and write in one step, so
 * that between our look and our write somebody may come. What was copied is noted after it is written: killed
 * in between, the entry is looked at again.
 */
export class CopyPass {
  readonly #maps: CopyMaps;
  readonly #copied: Copied;
  readonly #written: WrittenKeys | undefined;
  readonly #isSlots: boolean;
  readonly #foundOld: Buffer;
  readonly #foundFresh: Buffer;
  #changes = 0;

  constructor(maps: CopyMaps, copied: Copied, written?: WrittenKeys) {
    this.#maps = maps;
    this.#copied = copied;
    this.#written = written;
    this.#isSlots = maps.shape.info.type.endsWith('array');
    this.#foundOld = Buffer.alloc(maps.shape.wireSize);
    this.#foundFresh = Buffer.alloc(maps.freshShape.wireSize);
  }

  /** What was copied, by key; byte strings. */
  static readCopied(base: HeldObject, shape: MapShape): Copied {
    const copied: Copied = new Map();
    for (const { key, value } of entriesOf(base, shape))
      copied.set(whole(key), { value: whole(value), seenBy: undefined });
    return copied;
  }

  /** Entries that this pass has found changed. */
  get changes(): number {
    return this.#changes;
  }

  /** Goes through all entries; each turn of the generator is a point at which others may have the thread. */
  *run(isShared: boolean): Generator<void> {
    const { old, shape } = this.#maps;
    let count = 0;
    for (const { key, value } of entriesOf(old, shape)) {
      const copied = this.#copied.get(key);
      if (copied?.value === value) copied.seenBy = this;
      else this.#changed(whole(key), whole(value), isShared);
      if (++count % readAtMost === 0) yield;
    }
    if (this.#isSlots) return;
    for (const [key, { value, seenBy }] of this.#copied) {
      if (seenBy === this || this.#isInOld(key)) continue;
      this.#gone(key, value, isShared);
      if (++count % readAtMost === 0) yield;
    }
  }

  /** The same without letting others have the thread. */
  runAtOnce(isShared: boolean): void {
    const turns = this.run(isShared);
    while (turns.next().done !== true);
  }

  #changed(key: string, value: string, isShared: boolean): void {
    this.#changes++;
    const before = this.#copied.get(key)?.value;
    if (!isShared) this.#write(key, value, 'any');
    else if (this.#lastInFresh(key) === undefined) {
      if (before === undefined) this.#make(key, value);
      else if (this.#inFresh(key) === before) this.#write(key, value, this.#isSlots ? 'any' : 'update');
    }
    this.#note(key, value);
  }

  #make(key: string, value: string): void {
    this.#write(key, value, this.#isSlots ? 'any' : 'create');
    // Who removed it since we asked may have found nothing.
    if (this.#lastInFresh(key)?.isRemoval && this.#inFresh(key) === value)
      tryDelete(this.#maps.fresh.fd, bytes(key));
  }

  #gone(key: string, value: string, isShared: boolean): void {
    this.#changes++;
    const isOurs = !isShared || (this.#lastInFresh(key) === undefined && this.#inFresh(key) === value);
    if (isOurs) tryDelete(this.#maps.fresh.fd, bytes(key));
    tryDelete(this.#maps.base.fd, bytes(key));
    this.#copied.delete(key);
  }

  /** How somebody wrote the entry in the new map, where nobody was heard to write it in the old one since. */
  #lastInFresh(key: string): LastWrite | undefined {
    const last = this.#written?.lastWrite(bytes(key));
    return last?.mapId === this.#maps.fresh.id ? last : undefined;
  }

  /** Somebody else who made the entry first, or has removed it, has it as they want it. */
  #write(key: string, value: string, mode: 'any' | 'create' | 'update'): void {
    const errno = tryUpdate(this.#maps.fresh.fd, { key: bytes(key), value: bytes(value) }, mode);
    if (errno === undefined || (mode !== 'any' && (errno === 'EEXIST' || errno === 'ENOENT'))) return;
    const isFull = errno === 'E2BIG' || errno === 'ENOSPC';
    const detail = isFull
      ? 'The new map has no room for all entries of the old one.'
      : `The new map refuses an entry of the old one (${errno}).`;
    throw new PinfoldError(isFull ? 'map_full' : 'not_editable', { detail, errno });
  }

  #note(key: string, value: string): void {
    const errno = tryUpdate(this.#maps.base.fd, { key: bytes(key), value: bytes(value) }, 'any');
    if (errno !== undefined) {
      throw new PinfoldError('out_of_memory', {
        detail: `What was copied cannot be noted (${errno}).`,
        errno,
      });
    }
    this.#copied.set(key, { value, seenBy: this });
    const { keySize, wireSize } = this.#maps.shape;
    const { copyEntriesMax, copyBytesMax } = limits;
    const { size } = this.#copied;
    if (size <= copyEntriesMax && size * (keySize + wireSize) <= copyBytesMax) return;
    const detail = `Maps of up to ${copyEntriesMax} entries and ${copyBytesMax} bytes are copied.`;
    throw new PinfoldError('too_many_requests', { detail });
  }

  /** What the new map has under a key; undefined where it has nothing. */
  #inFresh(key: string): string | undefined {
    const { fresh, freshShape } = this.#maps;
    const wanted = bytes(key);
    const isThere =
      lookupElement(fresh.fd, wanted, this.#foundFresh) && hasExactKey(fresh.fd, freshShape, wanted);
    return isThere ? this.#foundFresh.toString('latin1') : undefined;
  }

  /** Asked of each key that reading did not come by: what reading misses must not be taken for removed. */
  #isInOld(key: string): boolean {
    const { old, shape } = this.#maps;
    const wanted = bytes(key);
    return lookupElement(old.fd, wanted, this.#foundOld) && hasExactKey(old.fd, shape, wanted);
  }
}

/**
 * Entries as they are read, as parts of a text that is made once a read: to be looked up by, not to be kept.
 * One may come twice where the map changes meanwhile; where it does so without end, reading ends.
 */
function* entriesOf(
  map: HeldObject,
  known: MapShape,
): Generator<{ readonly key: string; readonly value: string }> {
  const { reader, shape } = openPlainReader(map.fd, known);
  const { keySize, wireSize, maxEntries } = shape;
  for (let all = 0; !reader.isDone && all <= 2 * maxEntries + readAtMost; ) {
    const count = reader.read(readAtMost);
    const keys = reader.keys.toString('latin1', 0, count * keySize);
    const values = reader.values.toString('latin1', 0, count * wireSize);
    for (let index = 0; index < count; index++) {
      const key = keys.substring(index * keySize, (index + 1) * keySize);
      yield { key, value: values.substring(index * wireSize, (index + 1) * wireSize) };
    }
    all += count;
  }
}

/** The same bytes without the text that they are a part of. */
function whole(part: string): string {
  return bytes(part).toString('latin1');
}

function bytes(byteString: string): Buffer {
  return Buffer.from(byteString, 'latin1');
}
