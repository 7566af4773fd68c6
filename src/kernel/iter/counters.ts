import { PinfoldError } from '../../model/error.ts';
import type { Counters } from '../../model/hazard.ts';
import { type ObjectKind, type PinnableKind, pinnableKinds } from '../../model/kind.ts';
import { openObjectById } from '../bpf/objects.ts';
import type { Btf } from '../btf/btf.ts';
import type { KernelBtf } from '../btf/kernel-btf.ts';
import type { CounterReader, RecordsById } from '../kernel.ts';
import type { Calls } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { type DetailFormat, IteratorDetails } from './detail-reader.ts';
import { entryCountsProgram, IteratorEntryCounts } from './entry-counts.ts';
import { heldProgram } from './held-program.ts';
import { Iterator } from './iterator.ts';
import {
  type FileLayout,
  type ListLayout,
  learnDetailsLayout,
  learnFileLayout,
  learnListLayout,
  learnProgramDetailsLayout,
} from './layout.ts';
import { listProgram } from './list-program.ts';
import { detailsProgram, detailsSize, type MapDetails, parseDetails } from './map-details.ts';
import { OwnObjects } from './own.ts';
import {
  type ProgramDetails,
  parseProgramDetails,
  programDetailsProgram,
  programDetailsSize,
} from './program-details.ts';
import { idOf, parseCounters, recordSize } from './record.ts';
import { RecordMap } from './record-map.ts';
import { Seat } from './seat.ts';
import { learnShownMaps, shownMaps, shownMapsProgram } from './shown-map.ts';
import { KernelUnusedTables, type UnusedTables } from './unused-tables.ts';
import { WantedCell } from './wanted-cell.ts';

/** The first kernel with an iterator of the kind, for the reason why one cannot be had. */
const since = { map: '5.8', program: '5.9', link: '5.19' } as const satisfies Record<PinnableKind, string>;

/** While it is shown, an iterator over objects holds an object once itself (kernel/bpf/map_iter.c). */
const listExtra = { refcnt: 1n, usercnt: 0n } as const;

/** A descriptor opened for it counts too, and the iterator over files nothing. */
const openedExtra = { refcnt: 1n, usercnt: 1n } as const;

const mapDetails: DetailFormat<MapDetails> = {
  kind: 'map',
  program: 'pinfold_map_made',
  recordSize: detailsSize,
  parse: parseDetails,
};
const programDetails: DetailFormat<ProgramDetails> = {
  kind: 'program',
  program: 'pinfold_prog_made',
  recordSize: programDetailsSize,
  parse: parseProgramDetails,
};

const noExtra = { refcnt: 0n, usercnt: 0n } as const;

/** One object, and a descriptor on it that somebody has open. */
interface WantedObject {
  readonly kind: PinnableKind;
  readonly id: number;
  readonly held: Fd | undefined;
}

/** What the programs are made from. */
interface Knowledge {
  readonly btf: Btf;
  readonly file: FileLayout;
  readonly wanted: WantedCell;
}

/**
 * Reference counts of all maps, programs and links, as small programs read them inside the kernel.
 *
 * The programs are loaded when this is made and stay; their links and the cell that tells them which object
 * is wanted are the only descriptors on objects that Pinfold keeps. They are on nothing but themselves, and
 * are left out of what is read.
 */
export class IteratorCounters implements CounterReader, Disposable {
  /** What the iterators of this process are made of, those over files too. */
  readonly own = new OwnObjects();
  /** What maps were made with, which an iterator of the same kind tells. */
  readonly mapDetails: IteratorDetails<MapDetails>;
  /** The same of programs. */
  readonly programDetails: IteratorDetails<ProgramDetails>;
  /** Maps that must not be opened. */
  readonly unused: UnusedTables;
  /** How many entries maps have, the same way. */
  readonly entries: IteratorEntryCounts;
  readonly #calls: Calls;
  readonly #lists = new Map<PinnableKind, Iterator>();
  readonly #held = new Map<PinnableKind, Iterator>();
  readonly #reasons = new Map<PinnableKind, string>();
  /**
   * What the last pass read: the same bytes are the same map, which is how a pass at rest makes no garbage.
   */
  readonly #last = new Map<PinnableKind, RecordMap<Counters>>();
  #wanted: WantedCell | undefined;
  #seat: Seat | undefined;
  readonly #details: Iterator[] = [];
  #entries: Iterator | undefined;

  constructor(calls: Calls, kernel: KernelBtf) {
    this.#calls = calls;
    try {
      if ('missing' in kernel) throw new RangeError(kernel.missing);
      const wanted = new WantedCell(calls.fds);
      this.#wanted = wanted;
      this.#seat = new Seat(calls);
      this.own.add('map', wanted.mapId);
      const from = { btf: kernel.btf, file: learnFileLayout(kernel.btf), wanted };
      for (const kind of pinnableKinds) this.#load(kind, from);
      this.mapDetails = this.#loadDetails(mapDetails, from, () => {
        const layout = learnDetailsLayout(from.btf);
        return { layout, instructions: detailsProgram(layout, wanted.mapFd) };
      });
      this.programDetails = this.#loadDetails(programDetails, from, () => {
        const layout = learnProgramDetailsLayout(from.btf);
        return { layout, instructions: programDetailsProgram(layout, wanted.mapFd) };
      });
      const shown = this.#loadDetails(shownMaps, from, () => {
        const layout = learnShownMaps(from.btf);
        return { layout, instructions: shownMapsProgram(layout, wanted.mapFd) };
      });
      this.unused = new KernelUnusedTables(shown);
      this.entries = this.#loadEntries(from);
    } catch (error) {
      for (const kind of pinnableKinds) this.#reasons.set(kind, whyNot(error, kind));
      this.mapDetails = new IteratorDetails(mapDetails, { why: whyNot(error, 'map') });
      this.programDetails = new IteratorDetails(programDetails, { why: whyNot(error, 'program') });
      this.unused = { find: () => undefined };
      this.entries = new IteratorEntryCounts({ why: whyNot(error, 'map') });
    }
  }

  unavailable(kind: PinnableKind): string | undefined {
    return this.#reasons.get(kind);
  }

  readAll(kind: PinnableKind): RecordsById<Counters> {
    const list = this.#list(kind);
    this.#wanted?.want(0);
    const bytes = list.readAll();
    const last = this.#last.get(kind);
    if (last?.isOf(bytes) === true) return last;
    const format = {
      recordSize: recordSize(kind),
      parse: (record: Buffer) => parseCounters(kind, record, listExtra),
    };
    const counters = RecordMap.of(bytes, format, (id) => !this.own.has(kind, id));
    this.#last.set(kind, counters);
    return counters;
  }

  readOne(kind: PinnableKind, id: number, held?: Fd): Counters | undefined {
    const list = this.#list(kind);
    if (id === 0 || this.own.has(kind, id)) return undefined;
    const mayOpen = held !== undefined || kind !== 'map' || this.unused.find(id) === undefined;
    if (!mayOpen) return this.#readListed(list, kind, id);
    const iterator = this.#held.get(kind);
    const found = iterator === undefined ? 'unread' : this.#readHeld(iterator, { kind, id, held });
    return found === 'unread' ? this.#readListed(list, kind, id) : found;
  }

  /** Objects that are here only to read the others. */
  isOwn(kind: ObjectKind, id: number): boolean {
    return this.own.has(kind, id);
  }

  [Symbol.dispose](): void {
    const iterators = [...this.#lists.values(), ...this.#held.values(), ...this.#details];
    for (const iterator of iterators) iterator[Symbol.dispose]();
    this.#entries?.[Symbol.dispose]();
    this.#wanted?.[Symbol.dispose]();
    this.#seat?.[Symbol.dispose]();
  }

  #list(kind: PinnableKind): Iterator {
    const list = this.#lists.get(kind);
    if (list !== undefined) return list;
    const reason = this.#reasons.get(kind) ?? 'the iterators are closed';
    throw new PinfoldError('not_supported', { kind, detail: `Reference counts cannot be read: ${reason}.` });
  }

  /**
   * Through a descriptor of ours, so that what it costs does not depend on how many objects there are.
   *
   * `unread` where ids may not be opened, or the kernel shows nobody our files (some leave out those of pid
   * 1).
   */
  #readHeld(iterator: Iterator, object: WantedObject): Counters | 'unread' | undefined {
    const { kind, id, held } = object;
    if (held !== undefined) return this.#readBehind(iterator, object, { fd: held, extra: noExtra });
    try {
      using fd = openObjectById(kind, id, this.#calls.fds);
      return this.#readBehind(iterator, object, { fd, extra: openedExtra });
    } catch (error) {
      if (isSystemCallError(error, 'ENOENT')) return undefined;
      if (isSystemCallError(error, 'EPERM')) return 'unread';
      throw error;
    }
  }

  #readBehind(
    iterator: Iterator,
    { kind, id }: WantedObject,
    through: { readonly fd: Fd; readonly extra: Required<Pick<Counters, 'refcnt' | 'usercnt'>> },
  ): Counters | 'unread' {
    const bytes = this.#seat?.lend(through.fd, (number) => {
      this.#wanted?.want(number + 1);
      return iterator.readFirst(recordSize(kind));
    });
    const isIts = bytes !== undefined && idOf(bytes) === id;
    return isIts ? parseCounters(kind, bytes, through.extra) : 'unread';
  }

  /** Out of all objects, up to the one that is wanted. */
  #readListed(list: Iterator, kind: PinnableKind, id: number): Counters | undefined {
    this.#wanted?.want(id);
    const bytes = list.readFirst(recordSize(kind));
    return bytes && parseCounters(kind, bytes, listExtra);
  }

  #load(kind: PinnableKind, from: Knowledge): void {
    try {
      const layout = learnListLayout(from.btf, kind);
      this.#loadList(kind, layout, from);
      this.#loadHeld(kind, layout, from);
    } catch (error) {
      this.#reasons.set(kind, whyNot(error, kind));
    }
  }

  /** An iterator over objects whose program and place `make` gives. */
  #loadDetails<Details extends { readonly id: number }>(
    format: DetailFormat<Details>,
    { wanted }: Knowledge,
    make: () => { readonly layout: { readonly functionId: number }; readonly instructions: Buffer },
  ): IteratorDetails<Details> {
    try {
      const { layout, instructions } = make();
      const spec = { name: format.program, functionId: layout.functionId, instructions };
      const iterator = this.#keep(new Iterator(spec, this.#calls));
      this.#details.push(iterator);
      return new IteratorDetails(format, { iterator, wanted });
    } catch (error) {
      return new IteratorDetails(format, { why: whyNot(error, format.kind) });
    }
  }

  #loadList(kind: PinnableKind, layout: ListLayout, { wanted }: Knowledge): void {
    const instructions = listProgram(kind, layout, wanted.mapFd);
    const spec = { name: `pinfold_${kind}s`, functionId: layout.functionId, instructions };
    this.#lists.set(kind, this.#keep(new Iterator(spec, this.#calls)));
  }

  /**
   * Where the kernel cannot restrict the iterator to our files, or lets nobody read them, lists do it all.
   */
  #loadHeld(kind: PinnableKind, layout: ListLayout, { file, wanted }: Knowledge): void {
    const instructions = heldProgram(kind, { file, list: layout }, wanted.mapFd);
    const spec = { name: `pinfold_1_${kind}`, functionId: file.functionId, instructions, tid: process.pid };
    try {
      const iterator = this.#keep(new Iterator(spec, this.#calls));
      if (iterator.tid === process.pid) this.#held.set(kind, iterator);
      else iterator[Symbol.dispose]();
    } catch (error) {
      if (!isSystemCallError(error)) throw error;
    }
  }

  /** Linux 6.6 counts what is in hash maps, and lets programs ask. */
  #loadEntries({ btf }: Knowledge): IteratorEntryCounts {
    try {
      const { layout, code } = entryCountsProgram(btf);
      const spec = { name: 'pinfold_entries', functionId: layout.functionId, instructions: code };
      this.#entries = this.#keep(new Iterator(spec, this.#calls));
      return new IteratorEntryCounts({ iterator: this.#entries });
    } catch (error) {
      if (!isSystemCallError(error) && !(error instanceof RangeError)) throw error;
      return new IteratorEntryCounts({ why: `${error.message}; it needs Linux 6.6` });
    }
  }

  #keep(iterator: Iterator): Iterator {
    this.own.add('program', iterator.programId);
    this.own.add('link', iterator.linkId);
    return iterator;
  }
}

/** Why there are no counters, in words; anything that is no answer of the kernel's is thrown on. */
function whyNot(error: unknown, kind: PinnableKind): string {
  if (isSystemCallError(error, 'EPERM', 'EACCES')) {
    return `${error.syscall} answered ${error.errno}; it needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN)`;
  }
  if (isSystemCallError(error) || error instanceof RangeError) {
    return `${error.message}; iterators over ${kind}s need Linux ${since[kind]}`;
  }
  throw error;
}
