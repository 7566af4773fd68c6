import { chmodSync } from 'node:fs';
import { PinfoldError } from '../../model/error.ts';
import type { Bpffs, KernelFacts } from '../kernel.ts';
import { AT_FDCWD, type Calls, open } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import { readDirectory } from './directory.ts';
import { readInode } from './inode.ts';
import { scanMounts } from './mounts.ts';
import { attempting } from './refusal.ts';
import { findPin, isStillThere, openDirectory, openName, openParent, openPin } from './resolve.ts';
import { assertStillVisible, openRoot } from './root.ts';
import { openStaging } from './staging.ts';
import { lockStaging } from './staging-lock.ts';

/** MS_NOSUID, MS_NODEV and MS_NOEXEC (include/uapi/linux/mount.h). */
const mountFlags = 2 | 4 | 8;

/** Room for about 2,000 entries of a directory at a time. */
const directoryBufferBytes = 64 * 1024;

/**
 * The bpffs side of the kernel.
 *
 * @throws PinfoldError not_supported where openat2 is missing (Linux 5.6) or filtered: without it no name
 * is safe
 */
export function openBpffs(calls: Calls, facts: Pick<KernelFacts, 'bootId'>): Bpffs {
  requireOpenat2(calls);
  const buffer = Buffer.alloc(directoryBufferBytes);
  return {
    scanMounts: () => scanMounts(calls).mounts,
    scanNamespaces: () => scanMounts(calls),
    openRoot: (mount) => openRoot(calls, facts.bootId, mount),
    assertStillVisible,
    isStillThere: (root, directory) => isStillThere(calls, root, directory),
    openParent: (root, path) => openParent(calls, root, path),
    openDirectory: (root, path) => openDirectory(calls, root, path),
    openName: (root, place) => openName(calls, root, place),
    openPin: (root, path) => openPin(calls, root, path),
    findPin: (root, pin) => findPin(calls, root, pin),
    stat: (fd) => readInode(fd).facts,
    readLink: (link) => calls.readlinkat(link.fd),
    chmod: (fd, mode) => attempting({ attempt: 'chmod', path: fd.what }, () => chmodSync(fd.procPath, mode)),
    chown: (fd, owner) => attempting({ attempt: 'chown', path: fd.what }, () => calls.chown(fd, owner)),
    readDirectory: (directory) => readDirectory(calls, directory, buffer),
    openStaging: (root, create) => openStaging(calls, root, create),
    lockStaging: (staging) => lockStaging(calls, staging),
    mount: (path) => mountBpffs(calls, path),
  };
}

/**
 * Mode 0700 and these flags are what systemd gives the one it mounts; bpffs's own default lets everybody
 * in.
 */
function mountBpffs(calls: Calls, path: string): void {
  const what = { type: 'bpf', flags: mountFlags, options: 'mode=0700' };
  attempting({ attempt: 'mount', path }, () => calls.mount(path, what));
}

/** Older seccomp filters answer EPERM to system calls they do not know. */
function requireOpenat2(calls: Calls): void {
  try {
    const how = { flags: open.PATH | open.DIRECTORY, resolve: 0 };
    calls.openat2({ directory: AT_FDCWD, name: '/' }, how, '/')[Symbol.dispose]();
  } catch (error) {
    if (!isSystemCallError(error, 'ENOSYS', 'EPERM')) throw error;
    const { syscall, errno } = error;
    const detail = `Pinfold needs openat2 (Linux 5.6); here it gives ${errno}, so it is missing or filtered.`;
    throw new PinfoldError(
      'not_supported',
      { detail, syscall, errno, feature: 'openat2', since: '5.6' },
      error,
    );
  }
}
