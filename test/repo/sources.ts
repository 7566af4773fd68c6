import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { repoPath, repoRoot } from '../support/repo-root.ts';

/** A source file of the repository, parsed once for all rules. */
export interface Source {
  /** Relative to the root, such as `src/model/path.ts`. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly tree: ts.SourceFile;
}

/** Every file that is, or would be, in the repository: tracked or new, but not ignored. */
export function repositoryFiles(): readonly string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const listed = execFileSync('git', args, { cwd: repoRoot, encoding: 'utf8' }).split('\0');
  return [...new Set(listed)].filter((path) => path !== '' && existsSync(repoPath(path))).sort();
}

/** The TypeScript and JavaScript we write by hand, parsed; what is generated is left out. */
export function readSources(files: readonly string[] = repositoryFiles()): readonly Source[] {
  const isWritten = (path: string): boolean => /\.(ts|tsx|mjs)$/.test(path) && !/\/generated[./]/.test(path);
  return files.filter(isWritten).map((path) => {
    const text = readFileSync(repoPath(path), 'utf8');
    const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
    return { path, text, lines: text.split('\n'), tree };
  });
}

/** A node and everything in it, outermost first. */
export function* nodesIn(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => {
    children.push(child);
  });
  for (const child of children) yield* nodesIn(child);
}

/** `src/model/path.ts:12`, for messages. */
export function placeOf(source: Source, node: ts.Node): string {
  const { line } = source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree));
  return `${source.path}:${line + 1}`;
}
