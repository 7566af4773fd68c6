import { lstatSync, type Stats } from 'node:fs';
import type { FileFacts } from '../../model/local.ts';

/**
 * What is at a path, the path itself and not where it points; undefined where there is nothing we may see.
 */
export function findFile(path: string): FileFacts | undefined {
  try {
    const stats = lstatSync(path);
    return { path, type: typeOf(stats), mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
  } catch {
    return undefined;
  }
}

function typeOf(stats: Stats): FileFacts['type'] {
  if (stats.isDirectory()) return 'directory';
  if (stats.isFile()) return 'file';
  if (stats.isSocket()) return 'socket';
  return stats.isSymbolicLink() ? 'symlink' : 'other';
}
