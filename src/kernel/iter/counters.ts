import { readFileSync } from 'node:fs';
import { PinfoldError } from '../../model/error.ts';
import type { Counters } from '../../model/hazard.ts';
import { type ObjectKind, type PinnableKind, pinnableKinds } from '../../model/kind.ts';
import { createMap, updateElement } from '../bpf/create.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { Btf } from '../btf/btf.ts';
import { parseBtf } from '../btf/parse.ts';
import type { CounterReader } from '../kernel.ts';
import type { Calls } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { ObjectIterator } from './object-iterator.ts';
import { VALUE_SIZE } from './program.ts';

const BPF_MAP_TYPE_ARRAY = 2;

/** The first kernel with an iterator of the kind, for the reason why one cannot be had. */
const since = { map: '5.8', program: '5.9', link: '5.19' } as const satisfies Record<PinnableKind, string>;

/**
 * Reference counts of all maps, programs and links, as three small programs read them inside the kernel.
 *
 * The programs are loaded when this is made and stay; their links and the map that tells them which object is
 * wanted are the only descriptors Pinfold keeps. They are on nothing but themselves, and are left out of what
 * is read.
 */
export class IteratorCounters implements CounterReader, Disposable {
  readonly #iterators = new Map<PinnableKind, ObjectIterator>();
  readonly #reasons = new Map<PinnableKind, string>();
  readonly #own: Readonly<Record<ObjectKind, Set<number>>> = {
    map: new Set(),
    program: new Set(),
    link: new Set(),
    btf: new Set(),
  };
  #wanted: { readonly map: Fd; id: number } | undefined;

  constructor(calls: Calls, btfPath: string) {
    try {
      const btf = parseBtf(readFileSync(btfPath));
      const map = makeWantedMap(calls);
      this.#wanted = { map, id: 0 };
      this.#own.map.add(objectInfo(map, new Struct(8)).readUInt32LE(4));
      for (const kind of pinnableKinds) this.#load(kind, { btf, calls, wantedFd: map.number });
    } catch (error) {
      for (const kind of pinnableKinds) this.#reasons.set(kind, whyNot(error, kind));
    }
  }

  unavailable(kind: PinnableKind): string | undefined {
    return this.#reasons.get(kind);
  }

  readAll(kind: PinnableKind): ReadonlyMap<number, Counters> {
    const iterator = this.#want(kind, 0);
    const records = iterator.readAll();
    if (records.length % iterator.recordSize !== 0)
      throw new RangeError('an iterator gave a part of a record');
    const view = new DataView(records.buffer, records.byteOffset, records.length);
    const counters = new Map<number, Counters>();
    const own = this.#own[kind];
    for (let at = 0; at < records.length; at += iterator.recordSize) {
      const id = view.getUint32(at, true);
      if (!own.has(id)) counters.set(id, countersAt(view, at, kind));
    }
    return counters;
  }

  readOne(kind: PinnableKind, id: number): Counters | undefined {
    if (id === 0 || this.#own[kind].has(id)) return undefined;
    const record = this.#want(kind, id).readFirst();
    return record && countersAt(new DataView(record.buffer, record.byteOffset, record.length), 0, kind);
  }

  /** Objects that are here only to read the others. */
  isOwn(kind: ObjectKind, id: number): boolean {
    return this.#own[kind].has(id);
  }

  [Symbol.dispose](): void {
    for (const iterator of this.#iterators.values()) iterator[Symbol.dispose]();
    this.#wanted?.map[Symbol.dispose]();
  }

  #load(
    kind: PinnableKind,
    { btf, calls, wantedFd }: { readonly btf: Btf; readonly calls: Calls; readonly wantedFd: number },
  ): void {
    try {
      const iterator = new ObjectIterator(kind, btf, { calls, wantedFd });
      this.#iterators.set(kind, iterator);
      this.#own.program.add(iterator.own.programId);
      this.#own.link.add(iterator.own.linkId);
    } catch (error) {
      this.#reasons.set(kind, whyNot(error, kind));
    }
  }

  /** Tells the programs which object is wanted, 0 for all, and answers the iterator of the kind. */
  #want(kind: PinnableKind, id: number): ObjectIterator {
    const iterator = this.#iterators.get(kind);
    const wanted = this.#wanted;
    if (iterator === undefined || wanted === undefined) {
      const reason = this.#reasons.get(kind) ?? 'the iterators are closed';
      throw new PinfoldError('not_supported', {
        kind,
        detail: `Reference counts cannot be read: ${reason}.`,
      });
    }
    if (wanted.id !== id) {
      updateElement(wanted.map, Buffer.alloc(4), u32(id));
      wanted.id = id;
    }
    return iterator;
  }
}

/**
 * While it is shown, the iterator itself holds an object once; `usercnt` is not touched by that
 * (kernel/bpf/map_iter.c).
 */
function countersAt(view: DataView, at: number, kind: PinnableKind): Counters {
  const refcnt = view.getBigInt64(at + VALUE_SIZE, true) - 1n;
  return kind === 'map' ? { refcnt, usercnt: view.getBigInt64(at + 2 * VALUE_SIZE, true) } : { refcnt };
}

function makeWantedMap(calls: Calls): Fd {
  const spec = { type: BPF_MAP_TYPE_ARRAY, name: 'pinfold_wanted', keySize: 4, valueSize: 4, maxEntries: 1 };
  return createMap(spec, { fds: calls.fds, lifetime: 'kernel' });
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Why there are no counters, in words; anything that is no answer of the kernel's is thrown on. */
function whyNot(error: unknown, kind: PinnableKind): string {
  if (isSystemCallError(error, 'EPERM', 'EACCES')) {
    return `${error.syscall} answered ${error.errno}; it needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN)`;
  }
  if (isSystemCallError(error)) return `${error.message}; iterators over ${kind}s need Linux ${since[kind]}`;
  if (error instanceof RangeError)
    return `${error.message}; iterators over ${kind}s need Linux ${since[kind]}`;
  if (error instanceof Error && 'code' in error) {
    return `the kernel's own BTF cannot be read (${String(error.code)}); it needs CONFIG_DEBUG_INFO_BTF`;
  }
  throw error;
}
