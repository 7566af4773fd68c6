import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';

/**
 * A hash of everything find(1) and sha256sum(1) tell of a tree: names, types, inodes, owners, modes, times
 * and contents. Two that are equal mean that nobody has touched anything in between.
 */
export function treeHash(path: string): string {
  const options = { cwd: path, encoding: 'buffer', maxBuffer: 1 << 28 } as const;
  const facts = '%P|%y|%i|%m|%U:%G|%n|%T@|%C@|%l\\0';
  const hash = createHash('sha256').update(sorted(execFileSync('find', ['.', '-printf', facts], options)));
  const contents = ['.', '-type', 'f', '-size', '+0', '-exec', 'sha256sum', '-z', '{}', '+'];
  return hash.update(sorted(execFileSync('find', contents, options))).digest('hex');
}

function sorted(records: Buffer): string {
  return records.toString('latin1').split('\0').sort().join('\0');
}
