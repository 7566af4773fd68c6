import { readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import type { HeldFile } from '../iter/held-files.ts';
import { fdInfoNumber, parseFdInfo } from '../object/fdinfo.ts';
import { raw } from '../sys/prototypes.ts';

/** KCMP_FILE of include/uapi/linux/kcmp.h. */
const KCMP_FILE = 0;

/** What kcmp(2) answers; it is -1 where one of the two is closed by now, or may not be looked at. */
const SAME = 0;
const LESS = 1;
const GREATER = 2;

/** BPF_FS_MAGIC as statfs(2) gives it. */
const bpfFsMagic = 0xcafe4a11;

/** Objects by what /proc/PID/fd calls them, and the line of fdinfo that has their id. */
const objectNames: Readonly<Record<string, readonly [HeldFile['kind'], string]>> = {
  'anon_inode:bpf-map': ['map', 'map_id'],
  'anon_inode:bpf-prog': ['program', 'prog_id'],
  'anon_inode:bpf-link': ['link', 'link_id'],
  'anon_inode:bpf_link': ['link', 'link_id'],
  'anon_inode:btf': ['btf', 'btf_id'],
};

/** The pids that /proc shows, without our own. */
export function listPids(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

/**
 * The descriptors of one process as /proc shows them, for processes that the iterator leaves out.
 *
 * Programs of iterators' runs, perf events and sockets are not told here. Files are numbered anew from
 * `firstFile` downwards: `mergeFiles` finds out which are the same. A process that may not be looked at gives
 * undefined.
 */
export function readProcFiles(pid: number, firstFile: number): readonly HeldFile[] | undefined {
  const names = listNames(pid);
  if (names === undefined) return undefined;
  const files: HeldFile[] = [];
  for (const name of names) {
    const found = readDescriptor(pid, Number(name));
    if (found !== undefined) files.push({ ...found, file: firstFile - files.length });
  }
  return files;
}

function readDescriptor(pid: number, fd: number): Omit<HeldFile, 'file'> | undefined {
  const common = { pid, fd, id: 0, reuseportId: 0, mapId: 0 };
  try {
    const target = readlinkSync(`/proc/${pid}/fd/${fd}`, 'latin1');
    const object = objectNames[target];
    if (object !== undefined) {
      const [kind, key] = object;
      const fdInfo = parseFdInfo(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'));
      return { ...common, kind, id: fdInfoNumber(fdInfo, key) ?? 0 };
    }
    return target.startsWith('/') ? readInode(common, `/proc/${pid}/fd/${fd}`) : undefined;
  } catch {
    return undefined;
  }
}

function readInode(
  common: Omit<HeldFile, 'file' | 'kind'>,
  path: string,
): Omit<HeldFile, 'file'> | undefined {
  const { dev, ino, nlink, mode } = statSync(path);
  // Only file systems without a device have the major number 0, and bpffs is one of them.
  if (majorOf(dev) !== 0) return undefined;
  if (statfsSync(path).type >>> 0 !== bpfFsMagic) return undefined;
  const device = `${majorOf(dev)}:${minorOf(dev)}`;
  return { ...common, kind: 'inode', inode: { device, number: ino, links: nlink, mode } };
}

/** The layout of st_dev: new_encode_dev of include/linux/kdev_t.h. */
function majorOf(dev: number): number {
  return (dev >>> 8) & 0xfff;
}

function minorOf(dev: number): number {
  return (dev & 0xff) | ((dev >>> 12) & 0xfff00);
}

/**
 * Gives one number to what is one open file (kcmp(2), CONFIG_KCMP): `fresh` is compared with itself and with
 * `known` where both are on the same object. Without kcmp each descriptor counts as a file of its own.
 *
 * kcmp orders what it compares, so that ten thousand descriptors take some calls each and not thousands.
 */
export function mergeFiles(known: readonly HeldFile[], fresh: readonly HeldFile[]): readonly HeldFile[] {
  const byObject = new Map<string, HeldFile[]>();
  const keyOf = ({ kind, id, inode }: HeldFile): string =>
    `${kind} ${id} ${inode === undefined ? '' : `${inode.device} ${inode.number}`}`;
  const orderOf = (file: HeldFile): HeldFile[] => {
    const ordered = byObject.get(keyOf(file)) ?? [];
    byObject.set(keyOf(file), ordered);
    return ordered;
  };
  const wanted = new Set(fresh.map(keyOf));
  for (const file of known) if (wanted.has(keyOf(file))) findOrAdd(orderOf(file), file);
  return fresh.map((file) => ({ ...file, file: findOrAdd(orderOf(file), file) }));
}

/** The number of the same open file among those in kcmp's order; else its own, and it is among them then. */
function findOrAdd(ordered: HeldFile[], file: HeldFile): number {
  let [low, high] = [0, ordered.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = ordered[middle];
    const order = other === undefined ? GREATER : compare(file, other);
    if (order === SAME && other !== undefined) return other.file;
    if (order === LESS) high = middle;
    else if (order === GREATER) low = middle + 1;
    else if (compare(file, file) !== SAME) return file.file;
    else {
      // It is the other that is closed by now.
      ordered.splice(middle, 1);
      [low, high] = [0, ordered.length];
    }
  }
  ordered.splice(low, 0, file);
  return file.file;
}

function compare(one: HeldFile, other: HeldFile): number {
  return raw.kcmp(one.pid, other.pid, KCMP_FILE, one.fd, other.fd);
}

function listNames(pid: number): readonly string[] | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch {
    return undefined;
  }
}
