import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** __SO_ACCEPTCON in the flags of /proc/net/unix: the socket listens (net/unix/af_unix.c, unix_seq_show). */
const listening = 0x10000;

/**
 * Who listens on a unix socket; the process is undefined where it belongs to another pid namespace or user.
 */
export function findListener(socketPath: string): { readonly pid: number | undefined } | undefined {
  const inode = findListeningInode(readFileSync('/proc/net/unix', 'utf8'), socketPath);
  return inode === undefined ? undefined : { pid: findHolder(inode) };
}

/** Columns are address, references, protocol, flags, type, state, inode and path. */
export function findListeningInode(table: string, socketPath: string): string | undefined {
  for (const line of table.split('\n')) {
    const [, flags, inode, path] = /^\S+: \S+ \S+ (\S+) \S+ \S+ +(\d+) (.*)$/.exec(line) ?? [];
    if (path === socketPath && (Number.parseInt(flags ?? '0', 16) & listening) !== 0) return inode;
  }
  return undefined;
}

function findHolder(inode: string): number | undefined {
  const wanted = `socket:[${inode}]`;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const holder = pids.find((pid) => listDescriptors(pid).some((fd) => target(pid, fd) === wanted));
  return holder === undefined ? undefined : Number(holder);
}

/** Processes end while we look, and others are not ours to look into. */
function listDescriptors(pid: string): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch {
    return [];
  }
}

function target(pid: string, fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return undefined;
  }
}
