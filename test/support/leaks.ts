import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The BPF descriptors a process has open now, as `fd → target`: maps, programs, links, BTFs, iterators.
 *
 * A test that must show that nothing is kept compares two of these, or asks for none.
 */
export function bpfFds(pid: number | 'self' = 'self'): ReadonlyMap<number, string> {
  return new Map([...openFds(pid)].filter(([, target]) => /^anon_inode:(bpf|btf|\[bpf)/.test(target)));
}

/** All descriptors a process has open now, as `fd → target`. */
export function openFds(pid: number | 'self' = 'self'): ReadonlyMap<number, string> {
  const dir = `/proc/${pid}/fd`;
  const targets = new Map<number, string>();
  for (const fd of readdirSync(dir)) {
    const target = readLink(join(dir, fd));
    if (target !== undefined && !target.startsWith('/proc/')) targets.set(Number(fd), target);
  }
  return targets;
}

/** What a run of tests could leave on the machine, by kind; each entry says in words what it is. */
export interface MachineState {
  readonly mounts: readonly string[];
  readonly pins: readonly string[];
  readonly objects: readonly string[];
}

/**
 * What is on the machine now that a run of tests could have left there.
 *
 * Mounts are the bpffs mounts of this mount namespace; pins those at /sys/fs/bpf; objects the maps, programs
 * and links whose name begins with `pf_`, as everything tests make is named.
 */
export function machineState(): MachineState {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(isBpffs);
  const at = mounts.map((line) => line.split(' ')[4] ?? '');
  return {
    mounts: at.map((path) => `bpffs mounted at ${path}`),
    pins: at.includes('/sys/fs/bpf') ? names('/sys/fs/bpf').map((name) => `pin or directory ${name}`) : [],
    objects: testObjects(),
  };
}

/** What `after` has and `before` had not. */
export function leftBehind(before: MachineState, after: MachineState): string[] {
  const fresh = (kind: keyof MachineState): string[] =>
    after[kind].filter((entry) => !before[kind].includes(entry));
  return [...fresh('mounts'), ...fresh('pins'), ...fresh('objects')];
}

/** A process, with its command line for people. */
export interface Process {
  readonly pid: number;
  readonly command: string;
}

/** The processes whose environment has `marker` (a `NAME=value`), this one left out. */
export function processesMarked(marker: string): Process[] {
  return processes().filter(({ pid }) => isMarked(pid, marker));
}

/** Processes that run Node's tests, but not in the run that `marker` stands for. */
export function otherTestRuns(marker: string): Process[] {
  return processes().filter(({ pid, command }) => / --test\b/.test(command) && !isMarked(pid, marker));
}

function processes(): Process[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid)
    .map((pid) => ({ pid, command: readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() }));
}

function isMarked(pid: number, marker: string): boolean {
  return readText(`/proc/${pid}/environ`).split('\0').includes(marker);
}

interface Named {
  readonly id: number;
  readonly name?: string;
  readonly type?: string;
  readonly prog_id?: number;
}

function testObjects(): string[] {
  const isOurs = (object: Named): boolean => object.name?.startsWith('pf_') === true;
  const maps = list('map').filter((map) => isOurs(map) && !isKeptByTheKernel(map));
  const programs = list('prog').filter(isOurs);
  const ids = new Set(programs.map((program) => program.id));
  const links = list('link').filter((link) => link.prog_id !== undefined && ids.has(link.prog_id));
  return [
    ...maps.map((map) => `map ${map.id} ${map.name}`),
    ...programs.map((program) => `program ${program.id} ${program.name}`),
    ...links.map((link) => `link ${link.id} of program ${link.prog_id}`),
  ];
}

/**
 * The kernel may keep a prog_array for ever that somebody opens while it is emptied, as bpftool does here
 * (kernel/bpf/arraymap.c, prog_array_map_clear). One that a process has open was left by that process; one
 * that is pinned, or that a program uses, shows by its mount and its program.
 */
function isKeptByTheKernel({ id, type }: Named): boolean {
  return type === 'prog_array' && !processes().some(({ pid }) => hasMapOpen(pid, id));
}

function hasMapOpen(pid: number, id: number): boolean {
  try {
    const maps = [...openFds(pid)].filter(([, target]) => target === 'anon_inode:bpf-map');
    return maps.some(([fd]) => readText(`/proc/${pid}/fdinfo/${fd}`).includes(`map_id:\t${id}\n`));
  } catch {
    return false;
  }
}

/** bpftool stops at an object that is freed while it lists; then it is asked again. */
function list(kind: 'map' | 'prog' | 'link'): readonly Named[] {
  for (let attempt = 0; attempt < 5; attempt++) {
    const run = spawnSync('bpftool', ['-j', kind, 'show'], { encoding: 'utf8', maxBuffer: 1 << 30 });
    if (run.status === 0) return JSON.parse(run.stdout || '[]') as readonly Named[];
  }
  throw new Error(`bpftool cannot list each ${kind}`);
}

function isBpffs(line: string): boolean {
  return line.split(' - ')[1]?.startsWith('bpf ') === true;
}

function names(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => join(dir, name));
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
