import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The repository's root, the same whether a file runs from its source (tsx) or from dist/.
 *
 * Found by walking up to the lockfile, because dist/ repeats the tree but never that file.
 */
export const repoRoot: string = findRoot(import.meta.dirname);

/** A path inside the repository, absolute. */
export function repoPath(...parts: string[]): string {
  return join(repoRoot, ...parts);
}

function findRoot(from: string): string {
  if (existsSync(join(from, 'package-lock.json'))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error(`no package-lock.json above ${import.meta.dirname}`);
  return findRoot(parent);
}
