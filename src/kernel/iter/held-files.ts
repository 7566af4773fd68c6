import { readlinkSync } from 'node:fs';
import { createMap, updateElement } from '../bpf/create.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { KernelBtf } from '../btf/kernel-btf.ts';
import type { Calls } from '../sys/calls.ts';
import type { Fd } from '../sys/fd.ts';
import { addressAt } from './address.ts';
import { learnFileOperations } from './file-kinds.ts';
import { type HeldFileLayout, learnHeldFileLayout, learnMappingLayout } from './file-layout.ts';
import {
  cellLayout,
  type FileKind,
  fileKinds,
  fileProgram,
  fileRecord,
  mappingProgram,
  mappingRecord,
  wantedIdsMax,
} from './file-program.ts';
import { Iterator } from './iterator.ts';
import type { OwnObjects } from './own.ts';
import { whyNoIterator } from './why-not.ts';

const BPF_MAP_TYPE_ARRAY = 2;

/** Offset of `id` in struct bpf_map_info, which may be read as far as that. */
const MAP_INFO_ID = 4;

/** A descriptor that has to do with BPF, and the file behind it. */
export interface HeldFile {
  readonly pid: number;
  readonly fd: number;
  /**
   * The address of its `struct file` in the kernel without the topmost bits, which are all ones: the same for
   * descriptors of one open file.
   */
  readonly file: number;
  /** `inode` is a file or directory of a bpffs that is of no other kind. */
  readonly kind: FileKind | 'inode';
  /** The object, or the program of an iterator's run, a perf event or a socket's filter; 0 for none. */
  readonly id: number;
  /** Of sockets: the program that chooses among the sockets of a group; 0 for none. */
  readonly reuseportId: number;
  /** Of runs of iterators over the elements of a map: that map; 0 for none. */
  readonly mapId: number;
  /** Of files on a bpffs. */
  readonly inode?: {
    readonly device: string;
    readonly number: number;
    readonly links: number;
    readonly mode: number;
  };
}

/** A process that has mapped a map; `file` as in HeldFile. */
export interface HeldMapping {
  readonly pid: number;
  readonly file: number;
  readonly mapId: number;
}

/** Low 32 bits of BPF_FS_MAGIC. */
const bpfFsMagic = 0xcafe4a11;

/**
 * Iterators whose runs hold the map they go over (bpf_iter_attach_map in kernel/bpf/map_iter.c and its kin).
 */
const elementTargets = ['bpf_map_elem', 'bpf_sk_storage_map', 'sockmap'];

/**
 * Every descriptor of other processes that has to do with BPF, as an iterator over their files finds them.
 *
 * One read for all processes of this pid namespace, whatever their number of files; threads that share their
 * files with the first of their process are one. The programs, their links and the cell that tells them what
 * is what stay open, on nothing but themselves.
 */
export class HeldFiles implements Disposable {
  readonly #calls: Calls;
  readonly #own: OwnObjects;
  /** Kinds by the address of their `f_op`, as `addressAt` reads it; and those addresses whole. */
  readonly #kinds = new Map<number, FileKind>();
  /** The same of anonymous inodes that have nothing to do with BPF, such as eventfds. */
  readonly #strangers = new Set<number>();
  readonly #operations = new Map<FileKind, bigint>();
  readonly #elementFunctions = new Set<number>();
  #ids: readonly number[] = [];
  #cell: Fd | undefined;
  #files: Iterator | undefined;
  #mappings: Iterator | undefined;
  #filesReason: string | undefined;
  #mappingsReason: string | undefined;

  constructor(calls: Calls, kernel: KernelBtf, own: OwnObjects) {
    this.#calls = calls;
    this.#own = own;
    try {
      this.#load(kernel);
    } catch (error) {
      this[Symbol.dispose]();
      this.#filesReason = whyNoIterator(error, 'iterators over files need Linux 5.8');
      this.#mappingsReason = this.#filesReason;
    }
  }

  /** Why files cannot be read like this, ending a sentence; undefined where they can. */
  get unavailable(): string | undefined {
    return this.#filesReason;
  }

  /** The same of mappings. */
  get mappingsUnavailable(): string | undefined {
    return this.#mappingsReason;
  }

  /**
   * Of files on objects at least those whose ids are wanted, if only some are; of all others every one.
   *
   * @throws SystemCallError; a RangeError where `unavailable` says why
   */
  readFiles(ids: readonly number[] = []): readonly HeldFile[] {
    if (this.#files === undefined) throw new RangeError(this.#filesReason ?? 'the iterators are closed');
    this.#narrowTo(ids.length > wantedIdsMax ? [] : ids);
    const bytes = this.#files.readAll();
    return this.#learnUnknown(bytes) ? this.#parse(this.#files.readAll()) : this.#parse(bytes);
  }

  /** Mappings of maps. @throws SystemCallError; a RangeError where `mappingsUnavailable` says why */
  readMappings(): readonly HeldMapping[] {
    if (this.#mappings === undefined)
      throw new RangeError(this.#mappingsReason ?? 'the iterators are closed');
    const bytes = this.#mappings.readAll();
    return Array.from({ length: bytes.length / mappingRecord.size }, (_, index) => {
      const at = index * mappingRecord.size;
      return {
        pid: bytes.readUInt32LE(at + mappingRecord.pid),
        file: addressAt(bytes, at + mappingRecord.file),
        mapId: bytes.readUInt32LE(at + mappingRecord.id),
      };
    });
  }

  [Symbol.dispose](): void {
    for (const part of [this.#files, this.#mappings, this.#cell]) part?.[Symbol.dispose]();
    this.#files = undefined;
    this.#mappings = undefined;
  }

  #load(kernel: KernelBtf): void {
    if ('missing' in kernel) throw new RangeError(kernel.missing);
    const { btf } = kernel;
    const layout = learnHeldFileLayout(btf);
    const cell = this.#makeCell();
    for (const [kind, address] of learnFileOperations(layout, cell, this.#calls)) this.#learn(kind, address);
    this.#writeCell(cell);
    for (const target of elementTargets) {
      const id = btf.find('func', `bpf_iter_${target}`);
      if (id !== undefined) this.#elementFunctions.add(id);
    }
    const instructions = fileProgram(layout, cell.number);
    const spec = { name: 'pinfold_files', functionId: layout.functionId, instructions };
    this.#files = this.#keep(new Iterator(spec, this.#calls));
    this.#loadMappings(kernel, layout, cell);
  }

  #loadMappings(kernel: Extract<KernelBtf, { btf: unknown }>, files: HeldFileLayout, cell: Fd): void {
    try {
      const layout = learnMappingLayout(kernel.btf);
      const instructions = mappingProgram(files, layout, cell.number);
      const spec = { name: 'pinfold_mapped', functionId: layout.functionId, instructions };
      this.#mappings = this.#keep(new Iterator(spec, this.#calls));
    } catch (error) {
      this.#mappingsReason = whyNoIterator(error, 'iterators over mappings need Linux 5.12');
    }
  }

  #keep(iterator: Iterator): Iterator {
    this.#own.add('program', iterator.programId);
    this.#own.add('link', iterator.linkId);
    return iterator;
  }

  #makeCell(): Fd {
    const spec = {
      type: BPF_MAP_TYPE_ARRAY,
      name: 'pinfold_kinds',
      keySize: 4,
      valueSize: cellLayout.size,
      maxEntries: 1,
    };
    const cell = createMap(spec, { fds: this.#calls.fds, lifetime: 'kernel' });
    this.#cell = cell;
    this.#own.add('map', objectInfo(cell, new Struct(8)).readUInt32LE(MAP_INFO_ID));
    return cell;
  }

  #learn(kind: FileKind, address: bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(address);
    this.#kinds.set(addressAt(bytes, 0), kind);
    this.#operations.set(kind, address);
  }

  #narrowTo(ids: readonly number[]): void {
    if (ids.length === this.#ids.length && ids.every((id, index) => id === this.#ids[index])) return;
    this.#ids = ids;
    if (this.#cell !== undefined) this.#writeCell(this.#cell);
  }

  #writeCell(cell: Fd): void {
    const value = Buffer.alloc(cellLayout.size);
    value.writeUInt32LE(process.pid, cellLayout.tgid);
    value.writeUInt32LE(this.#ids.length, cellLayout.isNarrow);
    for (const [index, id] of this.#ids.entries()) value.writeUInt32LE(id, cellLayout.ids + 4 * index);
    for (const [kind, address] of this.#operations) {
      value.writeBigUInt64LE(address, cellLayout.operations + 8 * fileKinds.indexOf(kind));
    }
    updateElement(cell, Buffer.alloc(4), value);
  }

  /**
   * Looks at what the system calls an anonymous inode whose kind is not known; true where one is a kind worth
   * reading again for. Links with a poll method are found like this, and what could not be opened when we
   * learned.
   */
  #learnUnknown(bytes: Buffer): boolean {
    let isLearned = false;
    for (let at = 0; at < bytes.length; at += fileRecord.size) {
      if (bytes.readUInt32LE(at + fileRecord.magic) === bpfFsMagic) continue;
      const operations = addressAt(bytes, at + fileRecord.operations);
      if (this.#kinds.has(operations) || this.#strangers.has(operations)) continue;
      const pid = bytes.readUInt32LE(at + fileRecord.pid);
      const kind = kindByName(pid, bytes.readUInt32LE(at + fileRecord.fd));
      if (kind === undefined) continue;
      if (kind === 'stranger' || this.#operations.has(kind)) {
        this.#strangers.add(operations);
        continue;
      }
      this.#learn(kind, bytes.readBigUInt64LE(at + fileRecord.operations));
      isLearned = true;
    }
    if (isLearned && this.#cell !== undefined) this.#writeCell(this.#cell);
    return isLearned;
  }

  #parse(bytes: Buffer): readonly HeldFile[] {
    const files: HeldFile[] = [];
    for (let at = 0; at < bytes.length; at += fileRecord.size) {
      const isOnBpffs = bytes.readUInt32LE(at + fileRecord.magic) === bpfFsMagic;
      const kind = this.#kinds.get(addressAt(bytes, at + fileRecord.operations));
      if (kind === undefined && !isOnBpffs) continue;
      const second = bytes.readUInt32LE(at + fileRecord.second);
      files.push({
        pid: bytes.readUInt32LE(at + fileRecord.pid),
        fd: bytes.readUInt32LE(at + fileRecord.fd),
        file: addressAt(bytes, at + fileRecord.file),
        kind: kind ?? 'inode',
        id: bytes.readUInt32LE(at + fileRecord.id),
        reuseportId: kind === 'socket' ? second : 0,
        mapId:
          kind === 'iterator' && this.#elementFunctions.has(second)
            ? bytes.readUInt32LE(at + fileRecord.map)
            : 0,
        ...(isOnBpffs ? { inode: inodeAt(bytes, at) } : {}),
      });
    }
    return files;
  }
}

function inodeAt(bytes: Buffer, at: number): NonNullable<HeldFile['inode']> {
  const device = bytes.readUInt32LE(at + fileRecord.device);
  return {
    // The kernel's own dev_t: MINORBITS of include/linux/kdev_t.h.
    device: `${device >>> 20}:${device & 0xfffff}`,
    number: Number(bytes.readBigUInt64LE(at + fileRecord.inode)),
    links: bytes.readUInt32LE(at + fileRecord.links),
    mode: bytes.readUInt32LE(at + fileRecord.mode),
  };
}

/**
 * By what /proc calls it: the one kind that Pinfold does not open itself, and a perf event it may not open.
 * Undefined where it is closed meanwhile.
 */
function kindByName(pid: number, fd: number): FileKind | 'stranger' | undefined {
  try {
    const name = readlinkSync(`/proc/${pid}/fd/${fd}`, 'latin1');
    if (/^anon_inode:bpf[-_]link$/.test(name)) return 'polled_link';
    return name === 'anon_inode:[perf_event]' ? 'perf_event' : 'stranger';
  } catch {
    return undefined;
  }
}
