import { readlinkSync } from 'node:fs';
import type { Descriptor, FileFact, ObjectKey } from '../../model/holder/facts.ts';
import type { HeldFile } from '../iter/held-files.ts';
import type { MapHolds } from '../iter/hold-lists.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Collection } from './collection.ts';
import { objectKeyBehind } from './object-key.ts';
import { listPids, mergeFiles, readProcFiles } from './proc-files.ts';
import type { HolderSources } from './sources.ts';

/** Map types whose memory user space may map (enum bpf_map_type): ringbuf, user_ringbuf, arena; and array. */
const mappableTypes: readonly number[] = [27, 31, 33];
const ARRAY = 2;

/** BPF_F_MMAPABLE, which an array needs for it. */
const MMAPABLE = 1 << 10;

/** Tells whether processes may have this map in their memory. */
export function isMappable({ type, flags }: MapHolds): boolean {
  return mappableTypes.includes(type) || (type === ARRAY && (flags & MMAPABLE) !== 0);
}

/** Which files matter. */
export interface WantedFiles {
  /** Of objects with these ids, whatever their kind; of all where it is absent. */
  readonly ids: readonly number[] | undefined;
  /** Also of pid 1 where the iterator leaves them out, which takes a look at each. */
  readonly withFirst: boolean;
}

/** Every descriptor of other processes that has to do with BPF, however it can be found here. */
export function readHeldFiles(
  sources: HolderSources,
  into: Collection,
  { ids, withFirst }: WantedFiles,
): readonly HeldFile[] {
  const reason = sources.seesAllProcesses
    ? sources.files.unavailable
    : 'this process is in a pid namespace, and iterators number processes as the first one does';
  if (reason !== undefined) return readAllFromProc(into, reason);
  const files = sources.files.readFiles(ids);
  // Some kernels leave out the files of pid 1.
  if (!withFirst || files.some(({ pid }) => pid === 1) || process.pid === 1) return files;
  const first = readProcFiles(1, -1) ?? [];
  return first.length === 0 ? files : [...files, ...mergeFiles(files, first)];
}

function readAllFromProc(into: Collection, reason: string): readonly HeldFile[] {
  into.neverShows('programs of open iterators, perf events and sockets', reason);
  const files: HeldFile[] = [];
  let hidden = 0;
  for (const pid of listPids()) {
    const found = readProcFiles(pid, -1 - files.length);
    if (found === undefined) hidden++;
    else files.push(...found);
  }
  const processes = hidden === 1 ? '1 process' : `${hidden} processes`;
  if (hidden > 0) into.lacks(`files of ${processes}`, 'what has ended, or may not be looked at, shows none');
  return mergeFiles([], files);
}

/** Files on objects and runs of iterators, with the mappings that keep them. */
export function addFiles(
  sources: HolderSources,
  held: readonly HeldFile[],
  options: { readonly into: Collection; readonly readsMappings: boolean },
): void {
  const { into, readsMappings } = options;
  const files = new Map<string, Draft>();
  const draft = (object: ObjectKey, through: FileFact['through'], file: number): Draft | undefined => {
    if (object.id === 0 || !into.isWanted(object) || sources.objects.isOwn(object.kind, object.id)) {
      return undefined;
    }
    const key = `${file} ${object.kind}`;
    const known = files.get(key);
    if (known !== undefined) return known;
    const made = { file: String(file), object, through, descriptors: [], mappings: [] };
    files.set(key, made);
    return made;
  };
  for (const { pid, fd, file, kind, id, mapId } of held) {
    const object = objectOf(kind, id);
    if (object !== undefined) draft(object, 'object', file)?.descriptors.push({ pid, fd });
    if (kind !== 'iterator') continue;
    draft({ kind: 'program', id }, 'iterator', file)?.descriptors.push({ pid, fd });
    draft({ kind: 'map', id: mapId }, 'iterator', file)?.descriptors.push({ pid, fd });
  }
  if (readsMappings) {
    for (const { pid, file, mapId } of readMappings(sources, into)) {
      const mappings = draft({ kind: 'map', id: mapId }, 'object', file)?.mappings;
      if (mappings?.some((other) => other.pid === pid) === false) mappings.push({ pid });
    }
  }
  into.files.push(...files.values());
}

/** A FileFact while it grows. */
interface Draft extends FileFact {
  readonly descriptors: Descriptor[];
  readonly mappings: { readonly pid: number }[];
}

function objectOf(kind: HeldFile['kind'], id: number): ObjectKey | undefined {
  switch (kind) {
    case 'map':
    case 'program':
    case 'link':
    case 'btf':
      return { kind, id };
    case 'polled_link':
      return { kind: 'link', id };
    case 'iterator':
    case 'perf_event':
    case 'socket':
    case 'inode':
      return undefined;
  }
}

function readMappings(
  sources: HolderSources,
  into: Collection,
): ReturnType<HolderSources['files']['readMappings']> {
  const reason = sources.seesAllProcesses
    ? sources.files.mappingsUnavailable
    : 'this process is in a pid namespace';
  if (reason !== undefined) {
    into.neverShows('mappings of maps', reason);
    return [];
  }
  return sources.files.readMappings();
}

/** Programs that perf events and sockets run: each file is one reference, whatever descriptors lead to it. */
export function addRunningFiles(
  held: readonly HeldFile[],
  into: Collection,
  nameOf: (descriptor: Descriptor) => string | undefined,
): void {
  const seen = new Set<number>();
  for (const { pid, fd, file, kind, id, reuseportId } of held) {
    if ((kind !== 'perf_event' && kind !== 'socket') || seen.has(file)) continue;
    seen.add(file);
    const programs: readonly (readonly [number, string | undefined])[] = [
      [id, kind === 'socket' ? 'filter' : undefined],
      [reuseportId, 'reuseport'],
    ];
    for (const [program, attachType] of programs) {
      const object: ObjectKey = { kind: 'program', id: program };
      if (program === 0 || !into.isWanted(object)) continue;
      const what = kind === 'socket' ? 'a socket' : (nameOf({ pid, fd }) ?? 'a perf event');
      into.attachments.push({
        kind,
        object,
        ...(attachType === undefined ? {} : { attachType }),
        event: { pid, fd, what },
      });
    }
  }
}

/**
 * Inodes of a bpffs that live on without a visible name: unlinked, or of an instance that nobody walked.
 *
 * @param isWalked whether the names of the instance of this device are known
 */
export function addOpenInodes(
  sources: HolderSources,
  held: readonly HeldFile[],
  options: { readonly into: Collection; readonly isWalked: (device: string) => boolean },
): void {
  const { into, isWalked } = options;
  for (const { pid, fd, inode } of held) {
    if (inode === undefined || !isRegular(inode.mode)) continue;
    if (inode.links > 0 && isWalked(inode.device)) continue;
    const path = `/proc/${pid}/fd/${fd}`;
    const object = objectKeyBehind(path, sources.calls);
    const name = readLink(path);
    if (object === undefined || name === undefined || !into.isWanted(object)) continue;
    into.openInodes.push({
      pid,
      fd,
      mount: inode.device,
      inode: inode.number,
      object,
      path: name.replace(/ \(deleted\)$/, ''),
    });
  }
}

/** S_IFREG under S_IFMT (include/uapi/linux/stat.h). */
function isRegular(mode: number): boolean {
  return (mode & 0o170000) === 0o100000;
}

/** S_IFDIR under S_IFMT. */
export function isDirectory(mode: number): boolean {
  return (mode & 0o170000) === 0o040000;
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path, 'latin1');
  } catch (error) {
    if (isSystemCallError(error) || error instanceof Error) return undefined;
    throw error;
  }
}
