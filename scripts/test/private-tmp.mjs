import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A temporary directory on a tmpfs of this mount namespace; what is in it goes when the process ends.
 *
 * It is open to all users, because some tests act as another one.
 */
export function privateTmp() {
  const path = mkdtempSync(join(tmpdir(), 'pinfold-test-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=1777', 'pinfold-test', path]);
  process.once('exit', () => {
    execFileSync('umount', ['-l', path]);
    rmdirSync(path);
  });
  return path;
}
