import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { disposable } from './disposal.ts';
import { tempDir } from './temp-dir.ts';

/** A BPF filesystem of the test's own: a new, empty superblock that nobody else sees by accident. */
export interface Bpffs extends Disposable {
  /** Where it is mounted, absolute. */
  readonly path: string;
  /** st_dev of its root, as stat(2) gives it. */
  readonly dev: number;
}

/**
 * Mounts a private bpffs in a new temporary directory; disposing unmounts it and frees what only its pins
 * held.
 *
 * `options` go to mount(8) as they are, e.g. `mode=0700`. The unmount is lazy and repeated, so that a test
 * that left something open in it, or mounted over it, still leaves nothing behind.
 */
export function mountBpffs(options?: string): Bpffs {
  const dir = tempDir('bpffs');
  execFileSync('mount', [
    '-t',
    'bpf',
    ...(options === undefined ? [] : ['-o', options]),
    'pf-bpffs',
    dir.path,
  ]);
  const release = disposable(() => {
    unmountAll(dir.path);
    dir[Symbol.dispose]();
  });
  return { path: dir.path, dev: statSync(dir.path).dev, ...release };
}

/**
 * Takes numbers of file systems. The kernel gives out the lowest that is free (fs/super.c, get_anon_bdev),
 * also to what other tests mount: what is mounted while these are taken has a higher one, and after they were
 * let go and it was unmounted others get these numbers first, not its.
 */
export function takeNumbers(count = 16): Disposable {
  const taken = Array.from({ length: count }, () => mountBpffs());
  return disposable(() => {
    for (const one of taken) one[Symbol.dispose]();
  });
}

/** Unmounts everything that is mounted at `path`, lazily; does nothing where nothing is. */
export function unmountAll(path: string): void {
  const isRoot = (): boolean => statSync(path).dev !== statSync(`${path}/..`).dev;
  for (let layer = 0; layer < 16 && isRoot(); layer++) {
    execFileSync('umount', ['-l', path]);
  }
}
