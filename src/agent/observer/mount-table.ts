import { readFileSync, statSync } from 'node:fs';
import type { BpffsMount, Kernel } from '../../kernel/kernel.ts';
import { PinfoldError } from '../../model/error.ts';
import { bytesOf } from '../../model/path.ts';
import type { MountChoice } from '../agent.ts';
import type { MountFinder } from '../operation/sink.ts';

/** The bpffs instances of the last scan, and which of them is the primary one. */
export class MountTable implements MountFinder {
  readonly #kernel: Kernel;
  readonly #bpffsPath: string;
  #list: readonly BpffsMount[] = [];
  #mounts: ReadonlyMap<string, BpffsMount> = new Map();
  #ownMountInfo = '';
  #ownLines: ReadonlyMap<string, string> = new Map();

  constructor(kernel: Kernel, bpffsPath: string) {
    this.#kernel = kernel;
    this.#bpffsPath = bpffsPath;
  }

  /** Scans the mounts of all namespaces. */
  scan(): void {
    this.#list = this.#kernel.bpffs.scanMounts();
    this.#mounts = new Map(this.#list.map((mount) => [mount.id, mount]));
  }

  /**
   * Which instances are not mounted in our own namespace as they were at the last question, by their number:
   * another may have got it. Undefined where no mount differs at all; much cheaper than a scan.
   */
  changedInOwnNamespace(): ReadonlySet<string> | undefined {
    const now = readFileSync('/proc/self/mountinfo', 'latin1');
    if (now === this.#ownMountInfo) return undefined;
    const [before, after] = [this.#ownLines, linesByDevice(now)];
    this.#ownMountInfo = now;
    this.#ownLines = after;
    const devices = [...before.keys(), ...after.keys()];
    return new Set(devices.filter((device) => before.get(device) !== after.get(device)));
  }

  /** The same list until the next scan. */
  list(): readonly BpffsMount[] {
    return this.#list;
  }

  find(id: string): BpffsMount | undefined {
    return this.#mounts.get(id);
  }

  /** The instance that `--bpffs` leads to now; undefined where it leads to something else or nowhere. */
  primaryId(): string | undefined {
    const id = deviceAt(this.#bpffsPath);
    return id !== undefined && this.#mounts.has(id) ? id : undefined;
  }

  /**
   * The instance a request means. One that appeared, or whose way has changed, since the last scan is found
   * too.
   *
   * @throws PinfoldError mount_not_found, mount_unavailable
   */
  findMount(choice: MountChoice): BpffsMount {
    const known = this.#look(choice);
    const found = known !== undefined && isInReach(known) ? known : this.#lookAgain(choice);
    if (found === undefined) throw this.#missing(choice);
    if (found.reachableBy === undefined) {
      const why = found.unreachableReason ?? 'no path leads to it';
      throw new PinfoldError('mount_unavailable', {
        detail: `The bpffs ${found.id} cannot be reached: ${why}.`,
        mount: found.id,
      });
    }
    return found;
  }

  #look(choice: MountChoice): BpffsMount | undefined {
    const id = choice ?? this.primaryId();
    return id === undefined ? undefined : this.#mounts.get(id);
  }

  #lookAgain(choice: MountChoice): BpffsMount | undefined {
    this.scan();
    return this.#look(choice);
  }

  #missing(choice: MountChoice): PinfoldError {
    return choice === undefined
      ? new PinfoldError('mount_unavailable', { detail: `No bpffs is mounted at ${this.#bpffsPath}.` })
      : new PinfoldError('mount_not_found', {
          detail: `No bpffs instance ${choice} is mounted.`,
          mount: choice,
        });
  }
}

/** The lines of mountinfo about each bpffs; in each is the number of the mount, which another has not. */
function linesByDevice(text: string): ReadonlyMap<string, string> {
  const lines = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (!line.includes(' - bpf ')) continue;
    const [, , device = ''] = line.split(' ', 3);
    lines.set(device, `${lines.get(device) ?? ''}${line}\n`);
  }
  return lines;
}

/** Whether the path by which it was reached leads to it now. */
function isInReach({ id, reachableBy }: BpffsMount): boolean {
  return reachableBy !== undefined && deviceAt(bytesOf(reachableBy)) === id;
}

/** The file system that a path leads to now; undefined where it leads nowhere, or nowhere we may go. */
function deviceAt(path: string | Buffer): string | undefined {
  try {
    return deviceText(statSync(path, { bigint: true }).dev);
  } catch {
    return undefined;
  }
}

/** `major:minor` of a device number as stat(2) gives it (glibc's sys/sysmacros.h). */
function deviceText(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}
