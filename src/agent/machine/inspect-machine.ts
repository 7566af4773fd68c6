import { hash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { geteuid } from 'node:process';
import type { Kernel } from '../../kernel/kernel.ts';
import { openKernel } from '../../kernel/open-kernel.ts';
import { readBootId } from '../../kernel/proc/boot.ts';
import { readCapabilities } from '../../kernel/proc/capability.ts';
import { isSystemCallError } from '../../kernel/sys/errno.ts';
import { isPinfoldError } from '../../model/error.ts';
import { escapeName } from '../../model/escape.ts';
import type { FileFacts, LocalPlaces, MachineFacts, MountFacts, StagingEntry } from '../../model/local.ts';
import { stagingName } from '../../model/path.ts';
import type { Feature } from '../../model/schema/node.ts';
import { findAside } from '../../store/find-aside.ts';
import { findQuarantine } from '../../store/find-quarantine.ts';
import { findSetting } from '../../store/find-setting.ts';
import { isTokenTaken } from '../../store/find-token.ts';
import { findFile } from './file-facts.ts';
import { findListener } from './listener.ts';

/** BPF_FS_MAGIC (include/uapi/linux/magic.h). */
const bpffsMagic = 0xcafe4a11;

/** What the kernel let us see of itself. */
interface KernelView {
  readonly bpfRefused: string | undefined;
  readonly features: readonly Feature[];
  readonly mounts: readonly MountFacts[];
}

/** Gathers facts for `pinfold doctor`. Looks, changes nothing, and takes what it may not see for absent. */
export function inspectMachine(places: LocalPlaces): MachineFacts {
  const { bpffs, stateDir, runDir } = places;
  const socketPath = join(runDir, 'agent.sock');
  const mounted = whatIsAt(bpffs);
  return {
    uid: geteuid?.() ?? -1,
    capabilities: readCapabilities(),
    release: release(),
    nodeVersion: process.version,
    ...viewKernel(),
    hasBtf: existsSync('/sys/kernel/btf/vmlinux'),
    bpffs: mounted,
    bpffsRoot: findFile(bpffs),
    staging: mounted === 'mounted' ? viewStaging(places) : { directory: undefined, entries: [] },
    stateDir: findFile(stateDir),
    ...viewToken(stateDir),
    runDir: findFile(runDir),
    socket: findFile(socketPath),
    listener: findListener(socketPath),
  };
}

function viewToken(stateDir: string): Pick<MachineFacts, 'tokenFile' | 'isTokenTaken'> {
  const tokenFile = findFile(join(stateDir, 'admin.token'));
  if (tokenFile?.type !== 'file') return { tokenFile, isTokenTaken: undefined };
  try {
    const secret = readFileSync(tokenFile.path, 'utf8').trim();
    return { tokenFile, isTokenTaken: isTokenTaken(stateDir, hash('sha256', secret, 'buffer'), new Date()) };
  } catch {
    return { tokenFile, isTokenTaken: undefined };
  }
}

/** Judged by what the path leads to: a bpffs, or the directory one should be mounted on. */
function whatIsAt(path: string): MachineFacts['bpffs'] {
  try {
    const { type } = statfsSync(path);
    if (type === bpffsMagic) return 'mounted';
    return isMountPoint(path) ? 'not_bpffs' : 'not_mounted';
  } catch {
    return 'missing';
  }
}

function isMountPoint(path: string): boolean {
  return statSync(path).dev !== statSync(join(path, '..')).dev;
}

function viewKernel(): KernelView {
  let kernel: Kernel;
  try {
    kernel = openKernel();
  } catch (error) {
    return { bpfRefused: whyOf(error), features: [], mounts: [] };
  }
  try {
    return { bpfRefused: whyNoBpf(kernel), features: kernel.facts.features, mounts: viewMounts(kernel) };
  } finally {
    kernel[Symbol.dispose]();
  }
}

function whyNoBpf(kernel: Kernel): string | undefined {
  try {
    kernel.objects.nextId('map', 0);
    return undefined;
  } catch (error) {
    return whyOf(error);
  }
}

function whyOf(error: unknown): string {
  if (isPinfoldError(error)) return error.details.errno ?? error.message;
  if (isSystemCallError(error)) return error.errno;
  return error instanceof Error ? error.message : String(error);
}

function viewMounts(kernel: Kernel): readonly MountFacts[] {
  return kernel.bpffs.scanMounts().map(({ id, paths, shadowed, reachableBy }) => ({
    id,
    paths,
    shadowed,
    reachable: reachableBy !== undefined,
  }));
}

function viewStaging({ bpffs, stateDir }: LocalPlaces): MachineFacts['staging'] {
  const directory: FileFacts | undefined = findFile(join(bpffs, stagingName));
  if (directory?.type !== 'directory') return { directory, entries: [] };
  const uuid = findSetting(stateDir, 'agent_uuid');
  const kept = new Set(findQuarantine(stateDir, readBootId()).map(({ slot }) => slot));
  const aside = new Set(findAside(stateDir, readBootId()));
  const entries = listEntries(directory.path).map((name) => describeEntry(name, { uuid, kept, aside }));
  return { directory, entries };
}

function listEntries(path: string): readonly Buffer[] {
  try {
    return readdirSync(path, { encoding: 'buffer' });
  } catch {
    return [];
  }
}

function describeEntry(
  bytes: Buffer,
  known: {
    readonly uuid: string | undefined;
    readonly kept: ReadonlySet<string>;
    readonly aside: ReadonlySet<string>;
  },
): StagingEntry {
  const name = escapeName(bytes);
  const { uuid, kept, aside } = known;
  if (kept.has(bytes.toString('latin1'))) return { name, madeBy: 'quarantine' };
  if (aside.has(bytes.toString('latin1'))) return { name, madeBy: 'pinset' };
  const maker = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-/.exec(name)?.[1];
  if (maker === undefined) return { name, madeBy: 'unknown' };
  return { name, madeBy: maker === uuid ? 'ours' : 'other' };
}
