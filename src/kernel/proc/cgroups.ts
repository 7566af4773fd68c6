import { readFileSync, readlinkSync } from 'node:fs';
import { parseMountInfo } from '../bpffs/mountinfo.ts';
import { AT_FDCWD, type Calls, open } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';

/** FILEID_KERNFS of enum fid_type (include/linux/exportfs.h): the handle is the cgroup's id, eight bytes. */
const kernfsHandle = 0xfe;

/** Control groups of the second version, whose ids links and helpers give. */
export class Cgroups {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * The path of a cgroup below the root of its hierarchy, such as `/system.slice`; undefined where it is
   * gone, where no cgroup2 is mounted, and without CAP_DAC_READ_SEARCH.
   */
  pathOf(id: bigint): string | undefined {
    const mount = cgroupMount();
    using cgroup = mount === undefined ? undefined : this.#openIn(mount, id);
    if (mount === undefined || cgroup === undefined) return undefined;
    const path = readlinkSync(cgroup.procPath);
    return path.startsWith(mount) ? path.slice(mount.length) || '/' : path;
  }

  /** Its directory, open; undefined as above. */
  open(id: bigint): Fd | undefined {
    const mount = cgroupMount();
    return mount === undefined ? undefined : this.#openIn(mount, id);
  }

  #openIn(mount: string, id: bigint): Fd | undefined {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(id);
    try {
      const flags = open.RDONLY | open.DIRECTORY;
      using root = this.#calls.openat2({ directory: AT_FDCWD, name: mount }, { flags, resolve: 0 }, mount);
      return this.#calls.openByHandle(root, { type: kernfsHandle, bytes }, `cgroup ${id}`);
    } catch (error) {
      if (isSystemCallError(error)) return undefined;
      throw error;
    }
  }

  /** How many there are, the root among them; 0 where no cgroup2 is mounted. */
  count(): number {
    const mount = cgroupMount();
    if (mount === undefined) return 0;
    const stat = readFileSync(`${mount}/cgroup.stat`, 'latin1');
    return 1 + Number(/^nr_descendants (\d+)$/m.exec(stat)?.[1] ?? 0);
  }
}

function cgroupMount(): string | undefined {
  const mounts = parseMountInfo(readFileSync('/proc/self/mountinfo', 'latin1'));
  return mounts.find(({ type, root }) => type === 'cgroup2' && root === '/')?.path;
}
