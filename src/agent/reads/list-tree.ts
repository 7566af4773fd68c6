import { PinfoldError } from '../../model/error.ts';
import { escapeBytes, type PinPath, pathMembers } from '../../model/path.ts';
import type { TreeEntry } from '../../model/schema/pin.ts';
import type { Page, Slice } from '../agent.ts';
import { treeEntry } from '../inventory/documents.ts';
import type { MountNames } from '../inventory/mount-names.ts';
import { parsePathCursor } from './cursor.ts';
import { pageOf, pathsWithin } from './list-pins.ts';

/** Which part of the tree; `depth` counts names below the prefix. */
export interface TreeChoice {
  readonly prefix?: PinPath;
  readonly depth?: number;
}

/**
 * One page of the tree below a prefix, in byte order; the prefix itself is not in it unless it is no
 * directory.
 *
 * @throws PinfoldError directory_not_found for a prefix that is not there as the list begins, bad_cursor
 */
export function listTree(names: MountNames, choice: TreeChoice, slice: Slice): Page<TreeEntry> {
  const after = slice.after === undefined ? undefined : parsePathCursor(slice.after);
  const paths = pathsWithin(names.paths, choice.prefix).filter((path) => isShown(path, choice, names));
  if (after === undefined) assertThere(names, choice.prefix);
  const { page, next } = pageOf(paths, after, slice.limit);
  const items = page.flatMap((path) => {
    const named = names.find(path);
    return named === undefined ? [] : [treeEntry(names.mount, path, named)];
  });
  return { items, next, total: paths.length };
}

/** What goes away while its pages are read only ends them. */
function assertThere(names: MountNames, prefix: PinPath | undefined): void {
  if (prefix === undefined || names.find(prefix) !== undefined) return;
  const detail = `There was no directory at "${escapeBytes(prefix)}" when the bpffs was last observed.`;
  throw new PinfoldError('directory_not_found', { detail, ...pathMembers(prefix) });
}

function isShown(path: PinPath, { prefix, depth }: TreeChoice, names: MountNames): boolean {
  if (path === prefix) return names.find(path)?.entry !== 'directory';
  if (depth === undefined) return true;
  const below = prefix === undefined ? path : path.slice(prefix.length + 1);
  return below.split('/').length <= depth;
}
