import { Command } from 'commander';
import type { TreeEntry } from '../../client/documents.ts';
import { escapeName, escapeText } from '../../model/escape.ts';
import { bytesOf, isWithin, type PinPath, parsePathBytes } from '../../model/path.ts';
import { parseNumber, parsePathArgument, prefixQuery } from '../argument.ts';
import { objectOf, pathText } from '../change.ts';
import { type Cli, mountOf } from '../cli.ts';
import type { Style } from '../format/style.ts';
import { type Branch, treeLines } from '../format/tree.ts';
import { printDocument } from '../print-rows.ts';
import { shownPath } from '../resource/cell.ts';

interface TreeFlags {
  readonly depth?: string;
  readonly fresh?: boolean;
}

/** `pinfold tree`: directories, pins and symbolic links as a tree. */
export function treeCommand(cli: Cli): Command {
  return new Command('tree')
    .description('show directories, pins and symbolic links as a tree')
    .argument('[path]', 'a directory to begin at')
    .option('--depth <levels>', 'how many levels to show')
    .option('--fresh', 'read the kernel first, instead of answering from the last observation')
    .action(async (path: string | undefined, flags: TreeFlags) => {
      const depth = flags.depth === undefined ? undefined : parseNumber(flags.depth, { min: 1, max: 128 });
      const prefix = path === undefined ? {} : prefixQuery(path);
      const client = await cli.client();
      const list = client.list('/v1/tree', { ...mountOf(cli), ...prefix, depth, fresh: flags.fresh });
      const entries: TreeEntry[] = [];
      for await (const entry of list) entries.push(entry);
      await print(cli, entries, path);
    });
}

async function print(cli: Cli, entries: readonly TreeEntry[], path: string | undefined): Promise<void> {
  const { format } = cli.globals();
  if (format === 'name') {
    for (const entry of entries) await cli.out.line(shownPath(entry));
  } else if (format === 'ndjson') {
    for (const entry of entries) await printDocument(cli, entry);
  } else if (format === 'json' || format === 'yaml') {
    await printDocument(cli, { items: entries });
  } else {
    const root = path === undefined ? undefined : parsePathArgument(path);
    const branch = branchOf(entries, { root, style: cli.style, isWide: format === 'wide' });
    for (const line of treeLines(branch, cli.io.isTTY.stdout ? 'boxes' : 'ascii')) await cli.out.line(line);
    await cli.out.line('');
    await cli.out.line(countsOf(entries));
  }
}

interface GrowingBranch extends Branch {
  readonly children: GrowingBranch[];
}

/** Hangs every entry below its directory; entries come in byte order, so a directory always comes first. */
function branchOf(
  entries: readonly TreeEntry[],
  {
    root,
    style,
    isWide,
  }: { readonly root: PinPath | undefined; readonly style: Style; readonly isWide: boolean },
): Branch {
  const top: GrowingBranch = { label: root === undefined ? '/' : pathText(root), children: [] };
  const directories = new Map<string, GrowingBranch>([[root ?? '', top]]);
  for (const entry of entries) {
    const path = bytePath(entry);
    if (path === root || (root !== undefined && !isWithin(path, root))) continue;
    const slash = path.lastIndexOf('/');
    const branch: GrowingBranch = {
      label: labelOf(entry, path.slice(slash + 1), { style, isWide }),
      children: [],
    };
    if (entry.entry === 'directory') directories.set(path, branch);
    const parent = directories.get(slash < 0 ? '' : path.slice(0, slash)) ?? top;
    parent.children.push(branch);
  }
  return top;
}

function labelOf(
  entry: TreeEntry,
  name: string,
  { style, isWide }: { readonly style: Style; readonly isWide: boolean },
): string {
  const shown = escapeName(bytesOf(name));
  const rights =
    isWide && entry.mode !== undefined ? `  ${escapeText(entry.mode)} ${entry.uid}:${entry.gid}` : '';
  switch (entry.entry) {
    case 'directory':
      return `${style.strong(`${shown}/`)}${style.faint(rights)}`;
    case 'pin':
      return `${shown}  ${style.faint(`${pinned(entry)}${rights}`)}`.trimEnd();
    case 'symlink':
      return `${shown} -> ${shownPath({ path: entry.target ?? '', path_bytes: entry.target_bytes })}`;
    default:
      return `${shown}  ${style.careful('neither pin nor directory')}`;
  }
}

function pinned({ kind, ...entry }: TreeEntry): string {
  return kind === undefined ? '' : objectOf({ ...entry, kind });
}

function bytePath({ path, path_bytes: bytes }: TreeEntry): PinPath {
  return parsePathBytes(bytes === undefined ? Buffer.from(path, 'utf8') : Buffer.from(bytes, 'base64'));
}

function countsOf(entries: readonly TreeEntry[]): string {
  const count = (kind: TreeEntry['entry']): number => entries.filter((entry) => entry.entry === kind).length;
  const links = count('symlink');
  const tail = links === 0 ? '' : `, ${links} symbolic link${links === 1 ? '' : 's'}`;
  const [directories, pins] = [count('directory'), count('pin')];
  const places = `${directories} director${directories === 1 ? 'y' : 'ies'}`;
  return `${places}, ${pins} pin${pins === 1 ? '' : 's'}${tail}`;
}
