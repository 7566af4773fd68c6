import { closeSync, fchmodSync, fsyncSync, openSync } from 'node:fs';

/**
 * Makes a new empty file with mode 0600 whatever the umask is; never opens or follows what is already there.
 */
export function createPrivateFile(file: string): void {
  const fd = openSync(file, 'wx', 0o600);
  try {
    fchmodSync(fd, 0o600);
  } finally {
    closeSync(fd);
  }
}

/** Brings a file or a directory's names to the disk, so that they outlive a power cut. */
export function syncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
