import { tryDelete, tryUpdate } from '../../kernel/edit/elements.ts';
import { lookupElement } from '../../kernel/entries/elements.ts';
import type { MapShape } from '../../kernel/entries/map-shape.ts';
import { openReader } from '../../kernel/entries/open-reader.ts';
import type { HeldObject } from '../../kernel/kernel.ts';
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

/** Entries that are read at a time; between them others may have the event loop. */
const readAtMost = 1024;

/**
 * Brings changes of the old map into the new one: what differs from what was copied last.
 *
 * While only we have the new map it is made equal. Once others write to it, theirs is newer: an entry is
 * changed or removed only where the new map still has what was copied, and made only where it has none. The
 * kernel cannot compare and write in one step, so that between our look and our write somebody may come.
 * What was copied is noted after it is written: killed in between, the entry is looked at again.
 */
export class CopyPass {
  readonly #maps: CopyMaps;
  readonly #copied: Map<string, string>;
  readonly #isSlots: boolean;
  readonly #foundOld: Buffer;
  readonly #foundFresh: Buffer;
  #changes = 0;

  constructor(maps: CopyMaps, copied: Map<string, string>) {
    this.#maps = maps;
    this.#copied = copied;
    this.#isSlots = maps.shape.info.type.endsWith('array');
    this.#foundOld = Buffer.alloc(maps.shape.wireSize);
    this.#foundFresh = Buffer.alloc(maps.freshShape.wireSize);
  }

  /** What was copied, by key; byte strings. */
  static readCopied(base: HeldObject, shape: MapShape): Map<string, string> {
    const copied = new Map<string, string>();
    for (const { key, value } of entriesOf(base, shape)) copied.set(key, value);
    return copied;
  }

  /** Entries that this pass has found changed. */
  get changes(): number {
    return this.#changes;
  }

  /** Goes through all entries; each turn of the generator is a point at which others may have the thread. */
  *run(isShared: boolean): Generator<void> {
    const { old, shape } = this.#maps;
    const seen = new Set<string>();
    let count = 0;
    for (const { key, value } of entriesOf(old, shape)) {
      seen.add(key);
      if (this.#copied.get(key) !== value) this.#changed(key, value, isShared);
      if (++count % readAtMost === 0) yield;
    }
    if (this.#isSlots) return;
    for (const [key, value] of this.#copied) {
      if (seen.has(key) || this.#isInOld(key)) continue;
      this.#gone(key, value, isShared);
      if (++count % readAtMost === 0) yield;
    }
  }

  #changed(key: string, value: string, isShared: boolean): void {
    this.#changes++;
    const before = this.#copied.get(key);
    if (!isShared) this.#write(key, value, 'any');
    else if (before === undefined) this.#write(key, value, this.#isSlots ? 'any' : 'create');
    else if (this.#inFresh(key) === before) this.#write(key, value, this.#isSlots ? 'any' : 'update');
    this.#note(key, value);
  }

  #gone(key: string, value: string, isShared: boolean): void {
    this.#changes++;
    if (!isShared || this.#inFresh(key) === value) tryDelete(this.#maps.fresh.fd, bytes(key));
    tryDelete(this.#maps.base.fd, bytes(key));
    this.#copied.delete(key);
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
    this.#copied.set(key, value);
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

function* entriesOf(
  map: HeldObject,
  shape: MapShape,
): Generator<{ readonly key: string; readonly value: string }> {
  const { reader, shape: here } = openReader(map.fd, shape);
  const { keySize, wireSize } = here;
  while (!reader.isDone) {
    const count = reader.read(readAtMost);
    for (let index = 0; index < count; index++) {
      const key = reader.keys.toString('latin1', index * keySize, (index + 1) * keySize);
      const value = reader.values.toString('latin1', index * wireSize, (index + 1) * wireSize);
      yield { key, value };
    }
  }
}

function bytes(byteString: string): Buffer {
  return Buffer.from(byteString, 'latin1');
}
