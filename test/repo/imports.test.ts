import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import test from 'node:test';
import ts from 'typescript';
import { folderRules, packageRules, refusedBuiltins } from './import-rules.ts';
import type { Source } from './sources.ts';
import { nodesIn, placeOf, readSources, repositoryFiles } from './sources.ts';

interface Import {
  readonly source: Source;
  readonly place: string;
  readonly specifier: string;
  readonly isTypeOnly: boolean;
  /** Whether it is loaded before anything runs, not asked for later. */
  readonly isAtOnce: boolean;
}

const sources = readSources(repositoryFiles().filter((path) => path.startsWith('src/')));
const imports = sources.flatMap(importsOf);

test('src has the folders of the architecture and no others', () => {
  const strangers = new Set(
    sources.map(({ path }) => folderOf(path)).filter((name) => !(name in folderRules)),
  );
  assert.deepEqual([...strangers], []);
});

test('folders import only the folders they may', () => {
  const wrong = imports
    .filter(({ specifier }) => specifier.startsWith('.'))
    .filter((each) => !isAllowed(each));
  assert.deepEqual(wrong.map(sentence), []);
});

test('relative imports name a source file, with its extension', () => {
  const known = new Set(repositoryFiles());
  const wrong = imports.filter(
    ({ specifier }) => specifier.startsWith('.') && !/\/generated[./]/.test(specifier),
  );
  assert.deepEqual(wrong.filter((each) => !known.has(targetOf(each))).map(sentence), []);
});

test('each npm package is imported only where it belongs', () => {
  const external = imports.filter(({ specifier }) => !/^(\.|node:)/.test(specifier));
  const wrong = external.filter(({ specifier, source }) => {
    const places = packageRules.find(([name]) => name.test(specifier))?.[1] ?? [];
    return !places.some((place) => source.path.startsWith(place));
  });
  assert.deepEqual(wrong.map(sentence), []);
});

test('src starts no programs, and model uses nothing of the machine', () => {
  const wrong = imports.filter(({ specifier, source }) => {
    if (!specifier.startsWith('node:')) return false;
    return source.path.startsWith('src/model/') || refusedBuiltins.includes(specifier.slice('node:'.length));
  });
  assert.deepEqual(wrong.map(sentence), []);
});

test('only main.ts reads the environment', () => {
  const wrong = sources
    .filter(({ path }) => path !== 'src/main.ts')
    .flatMap((source) =>
      [...nodesIn(source.tree)].filter(readsEnvironment).map((node) => placeOf(source, node)),
    );
  assert.deepEqual(wrong, []);
});

test('model is pure: no clock, no randomness, no process, no timers', () => {
  const impure =
    /^(process|performance|crypto|fetch|set(Timeout|Interval|Immediate)|Date\.now|Math\.random)$/;
  const isImpure = (node: ts.Node): boolean =>
    (ts.isIdentifier(node) || ts.isPropertyAccessExpression(node)) &&
    impure.test(node.getText()) &&
    !ts.isPropertyAccessExpression(node.parent) &&
    !ts.isPropertyAssignment(node.parent);
  const wrong = sources
    .filter(({ path }) => path.startsWith('src/model/'))
    .flatMap((source) => [...nodesIn(source.tree)].filter(isImpure).map((node) => placeOf(source, node)));
  assert.deepEqual(wrong, []);
});

test('no module keeps state: what changes is made by main.ts and handed over', () => {
  const wrong = sources.flatMap((source) =>
    source.tree.statements
      .filter(isMutableState)
      .map((node) => `${placeOf(source, node)} ${node.getText(source.tree)}`),
  );
  assert.deepEqual(wrong, []);
});

test('modules do not import each other in circles', () => {
  const edges = new Map(sources.map(({ path }) => [path, [] as string[]]));
  for (const each of imports) {
    if (each.specifier.startsWith('.') && !each.isTypeOnly) edges.get(each.source.path)?.push(targetOf(each));
  }
  assert.deepEqual(findCircle(edges), []);
});

test('a command starts without TypeBox, which takes longer to load than all of ours', () => {
  const atOnce = imports.filter((each) => each.isAtOnce);
  const loaded = new Set(['src/main.ts']);
  for (const path of loaded) {
    const own = atOnce.filter(({ source, specifier }) => source.path === path && specifier.startsWith('.'));
    for (const each of own) loaded.add(targetOf(each));
  }
  assert.ok(loaded.has('src/cli/program.ts'), 'the command line is among what is loaded');
  const wrong = atOnce.filter(
    ({ source, specifier }) => loaded.has(source.path) && /^typebox/.test(specifier),
  );
  assert.deepEqual(wrong.map(sentence), []);
});

function isAllowed({ source, specifier }: Import): boolean {
  const from = folderOf(source.path);
  const to = folderOf(join(dirname(source.path), specifier));
  return from === to || folderRules[from]?.includes(to) === true;
}

function importsOf(source: Source): Import[] {
  return [...nodesIn(source.tree)].flatMap((node) => {
    const specifier = specifierOf(node);
    if (specifier === undefined) return [];
    const isAtOnce = (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && !isTypeOnly(node);
    return [{ source, place: placeOf(source, node), specifier, isTypeOnly: isTypeOnly(node), isAtOnce }];
  });
}

function specifierOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    return node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)
      ? node.moduleSpecifier.text
      : undefined;
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
    return literalText(node.argument.literal);
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return literalText(node.arguments[0]);
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'URL') return workerFile(node);
  return undefined;
}

/** A worker's file is imported by its URL, and by the name it has once it is built. */
function workerFile({ arguments: given }: ts.NewExpression): string | undefined {
  const file = literalText(given?.[0]);
  return given?.[1]?.getText() === 'import.meta.url' && file?.endsWith('.js') === true
    ? file.replace(/js$/, 'ts')
    : undefined;
}

function literalText(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isImportTypeNode(node)) return true;
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  if (!ts.isImportDeclaration(node) || node.importClause === undefined) return false;
  const { importClause } = node;
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = importClause.namedBindings;
  return (
    importClause.name === undefined &&
    named !== undefined &&
    ts.isNamedImports(named) &&
    named.elements.every((element) => element.isTypeOnly)
  );
}

function readsEnvironment(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return node.getText() === 'process.env';
  return (
    ts.isImportSpecifier(node) &&
    node.name.text === 'env' &&
    node.parent.parent.parent.getText().includes('process')
  );
}

/**
 * `let` and `var`, and containers that start empty, which there would be no use for if nothing were put in.
 */
function isMutableState(statement: ts.Statement): boolean {
  if (!ts.isVariableStatement(statement)) return false;
  if ((statement.declarationList.flags & ts.NodeFlags.Const) === 0) return true;
  return statement.declarationList.declarations.some(({ initializer }) => {
    if (initializer === undefined) return false;
    if (ts.isArrayLiteralExpression(initializer)) return initializer.elements.length === 0;
    if (ts.isObjectLiteralExpression(initializer)) return initializer.properties.length === 0;
    return (
      ts.isNewExpression(initializer) &&
      /^(Weak)?(Map|Set)$/.test(initializer.expression.getText()) &&
      (initializer.arguments?.length ?? 0) === 0
    );
  });
}

function findCircle(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return [];
    for (const next of edges.get(path) ?? []) {
      const circle = visit(next, [...trail, path]);
      if (circle.length > 0) return circle;
    }
    done.add(path);
    return [];
  };
  for (const path of edges.keys()) {
    const circle = visit(path, []);
    if (circle.length > 0) return circle;
  }
  return [];
}

/** `kernel` for `src/kernel/sys/fd.ts`, `main.ts` for `src/main.ts`. */
function folderOf(path: string): string {
  return path.split('/')[1] ?? path;
}

function targetOf({ source, specifier }: Import): string {
  return join(dirname(source.path), specifier);
}

function sentence({ place, specifier, isTypeOnly: typeOnly }: Import): string {
  return `${place} imports ${typeOnly ? 'types of ' : ''}${specifier}`;
}
