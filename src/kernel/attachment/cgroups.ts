import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs';
import { limits } from '../../model/limits.ts';
import { ProgramQuery } from '../bpf/query.ts';
import { parseMountInfo } from '../bpffs/mountinfo.ts';
import { typeName, typeNumber, typeNumbers } from '../object/names.ts';
import { AT_FDCWD, type Calls, open } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import type { Sighting } from './sighting.ts';

/** BPF_F_ALLOW_OVERRIDE, BPF_F_ALLOW_MULTI and BPF_F_PREORDER of include/uapi/linux/bpf.h. */
const flagNames = [
  [1 << 0, 'override'],
  [1 << 1, 'multi'],
  [1 << 6, 'preorder'],
] as const;

/**
 * Which places of a control group each type of program can be at (bpf_prog_type_to_attach_type of libbpf, and
 * attach_type_to_prog_type in kernel/bpf/syscall.c); what is not asked for is not there.
 */
const placesByType: Readonly<Record<string, readonly string[]>> = {
  cgroup_skb: ['cgroup_inet_ingress', 'cgroup_inet_egress'],
  cgroup_sock: [
    'cgroup_inet_sock_create',
    'cgroup_inet_sock_release',
    'cgroup_inet4_post_bind',
    'cgroup_inet6_post_bind',
  ],
  sock_ops: ['cgroup_sock_ops'],
  cgroup_device: ['cgroup_device'],
  cgroup_sysctl: ['cgroup_sysctl'],
  cgroup_sockopt: ['cgroup_getsockopt', 'cgroup_setsockopt'],
  lsm: ['lsm_cgroup'],
};

/** Programs on addresses of sockets have all other places. */
const ADDRESS_TYPE = 'cgroup_sock_addr';

/** What control groups run, and what could not be read of it. */
export interface CgroupSightings {
  readonly sightings: readonly Sighting[];
  readonly unavailable: readonly { readonly what: string; readonly reason: string }[];
}

/**
 * Asks every control group of the unified hierarchy what is attached to it, of the given types of programs
 * only: a few microseconds for each group and place.
 */
export function seeCgroups(
  calls: Calls,
  programTypes: ReadonlySet<string>,
  cgroupsMax: number = limits.holderCgroupsMax,
): CgroupSightings {
  const places = placesOf(programTypes);
  if (places.length === 0) return { sightings: [], unavailable: [] };
  const root = cgroupRoot();
  if (root === undefined) {
    const reason = 'no cgroup2 file system is mounted here';
    return { sightings: [], unavailable: [{ what: 'control groups', reason }] };
  }
  const query = new ProgramQuery();
  const sightings: Sighting[] = [];
  const waiting = ['/'];
  for (let count = 0; count < cgroupsMax; count++) {
    const path = waiting.shift();
    if (path === undefined) break;
    sightings.push(...seeCgroup(calls, { root, path }, { places, query }));
    const parent = path === '/' ? '' : path;
    for (const name of listChildren(root + parent)) waiting.push(`${parent}/${name}`);
  }
  const left = waiting.length;
  const reason = `no more than ${cgroupsMax} are asked`;
  return { sightings, unavailable: left === 0 ? [] : [{ what: `${left} control groups`, reason }] };
}

function placesOf(programTypes: ReadonlySet<string>): readonly number[] {
  const named = [...programTypes].flatMap((type) => placesByType[type] ?? []);
  const places = new Set(named.map((name) => typeNumber('attach', name)));
  if (programTypes.has(ADDRESS_TYPE)) {
    const others = new Set(Object.values(placesByType).flat());
    for (const number of typeNumbers('attach', 'cgroup_')) {
      if (!others.has(typeName('attach', number))) places.add(number);
    }
  }
  return [...places];
}

interface CgroupPlace {
  readonly root: string;
  readonly path: string;
}

function seeCgroup(
  calls: Calls,
  { root, path }: CgroupPlace,
  { places, query }: { readonly places: readonly number[]; readonly query: ProgramQuery },
): readonly Sighting[] {
  using group = tryOpen(calls, path === '/' ? root : root + path);
  if (group === undefined) return [];
  let id: number | undefined;
  return places.flatMap((attachType): Sighting[] => {
    const answer = query.ask(group, attachType, { hasLinks: false });
    if (typeof answer === 'string' || answer.programs.length === 0) return [];
    id ??= statSync(group.procPath).ino;
    const cgroup = { id, path };
    const flags = flagNames.flatMap(([bit, name]) => ((answer.attachFlags & bit) === 0 ? [] : [name]));
    return answer.programs.map(({ programId }) => ({
      kind: 'cgroup',
      object: { kind: 'program', id: programId },
      attachType: typeName('attach', attachType),
      cgroup,
      ...(flags.length === 0 ? {} : { flags }),
    }));
  });
}

function tryOpen(calls: Calls, path: string): Fd | undefined {
  try {
    const flags = open.RDONLY | open.DIRECTORY;
    return calls.openat2({ directory: AT_FDCWD, name: path }, { flags, resolve: 0 }, path);
  } catch (error) {
    if (isSystemCallError(error, 'ENOENT', 'EACCES', 'ENODEV')) return undefined;
    throw error;
  }
}

function listChildren(path: string): readonly string[] {
  try {
    const at = Buffer.from(path, 'latin1');
    const entries: Dirent[] = readdirSync(at, { withFileTypes: true, encoding: 'latin1' });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

function cgroupRoot(): string | undefined {
  const mounts = parseMountInfo(readFileSync('/proc/self/mountinfo', 'latin1'));
  return mounts.find(({ type, root }) => type === 'cgroup2' && root === '/')?.path;
}
