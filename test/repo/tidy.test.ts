import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import ts from 'typescript';
import { repoPath } from '../support/repo-root.ts';
import type { Source } from './sources.ts';
import { nodesIn, placeOf, readSources, repositoryFiles } from './sources.ts';

const limits = { fileLines: 400, functionLines: 70, lineLength: 110, parameters: 4, readmeLines: 30 };

const files = repositoryFiles();
const sources = readSources(files);
const product = sources.filter(({ path }) => path.startsWith('src/'));
const functions = sources.flatMap((source) =>
  [...nodesIn(source.tree)].filter(isFunction).map((node) => ({ source, node })),
);

test(`no file has more than ${limits.fileLines} lines`, () => {
  const long = sources.filter(({ lines }) => lines.length - 1 > limits.fileLines);
  assert.deepEqual(
    long.map(({ path, lines }) => `${path}: ${lines.length - 1} lines`),
    [],
  );
});

test(`no line has more than ${limits.lineLength} characters`, () => {
  const long = sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) => (line.length > limits.lineLength ? [`${path}:${index + 1}`] : [])),
  );
  assert.deepEqual(long, []);
});

test(`no function has more than ${limits.functionLines} lines; a suite of tests is not one`, () => {
  const long = functions.filter(
    ({ source, node }) => !isSuite(node) && linesOf(source, node) > limits.functionLines,
  );
  assert.deepEqual(
    long.map(({ source, node }) => `${placeOf(source, node)}: ${linesOf(source, node)} lines`),
    [],
  );
});

test(`no function has more than ${limits.parameters} parameters`, () => {
  const many = functions.filter(({ node }) => node.parameters.length > limits.parameters);
  assert.deepEqual(
    many.map(({ source, node }) => placeOf(source, node)),
    [],
  );
});

test('there are no default exports, no enums and no any', () => {
  const isBanned = (node: ts.Node): boolean =>
    ts.isExportAssignment(node) ||
    (node.kind === ts.SyntaxKind.DefaultKeyword && ts.isSourceFile(node.parent.parent)) ||
    ts.isEnumDeclaration(node) ||
    node.kind === ts.SyntaxKind.AnyKeyword;
  assert.deepEqual(placesOf(sources, isBanned), []);
});

test('types are asserted only by parsers, or where the asserted brand is declared', () => {
  const wrong = product.flatMap((source) => {
    const declared = new Set(
      source.tree.statements.filter(ts.isTypeAliasDeclaration).map(({ name }) => name.text),
    );
    const isWrong = (node: ts.Node): boolean =>
      ts.isAsExpression(node) && !isConst(node) && !isInParser(node) && !mentionsOneOf(node.type, declared);
    return placesOf([source], isWrong);
  });
  assert.deepEqual(wrong, []);
});

test('file and folder names are kebab-case', () => {
  const names = /^(src|test|bench|scripts|docs|deploy)\//;
  // A template unit of systemd has an @ before its suffix.
  const usual = /^(README|[a-z0-9]+([-.][a-z0-9]+)*)@?(\.[a-z0-9]+)*$/;
  const wrong = files.filter(
    (path) => names.test(path) && !path.split('/').every((part) => usual.test(part)),
  );
  assert.deepEqual(
    wrong.filter((path) => !/\/(Dockerfile|[0-9]{4}-)/.test(path)),
    [],
  );
});

test('every exported symbol of src and of the test support has a docstring', () => {
  const isSupport = (path: string): boolean => /^test\/support\/[^/]+(?<!\.test)\.ts$/.test(path);
  const wrong = [...product, ...sources.filter(({ path }) => isSupport(path))].flatMap((source) => {
    const exported = source.tree.statements.filter(isExported);
    const documented = new Set(exported.filter((each) => hasDocstring(source, each)).flatMap(namesOf));
    const bare = exported.filter((each) => !namesOf(each).every((name) => documented.has(name)));
    return bare.map((each) => `${placeOf(source, each)} ${namesOf(each).join()}`);
  });
  assert.deepEqual(wrong, []);
});

test(`every folder of src begins with a README of at most ${limits.readmeLines} lines`, () => {
  const folders = new Set(product.map(({ path }) => path.split('/').slice(0, 2).join('/')));
  folders.delete('src/main.ts');
  const missing = [...folders].filter((folder) => !files.includes(`${folder}/README.md`));
  assert.deepEqual(missing, []);
  const readmes = files.filter((path) => /^src\/.*README\.md$/.test(path));
  const long = readmes.filter(
    (path) => readFileSync(repoPath(path), 'utf8').split('\n').length - 1 > limits.readmeLines,
  );
  assert.deepEqual(long, []);
});

test('no deadline hangs on a signal that garbage collection takes away', () => {
  const wrong = files
    .filter((path) => /^(src|bench|test)\/.*\.ts$/.test(path) && path !== 'src/cluster/deadline.ts')
    .filter((path) => /AbortSignal\.timeou[t]\(/.test(readFileSync(repoPath(path), 'utf8')));
  assert.deepEqual(wrong, [], 'withDeadline of src/cluster/deadline.ts says why');
});

test('nothing names a machine it was written on, a registry, or unfinished work', () => {
  // Each is written so that it does not find itself.
  const forbidden = [
    /\/wor[k]\/(main|shared)/,
    /\/tm[p]\/pinfold/,
    /(?<![\w}])\/roo[t]\//,
    /registr[y]\.npmjs/,
    /deb\.debia[n]\.org/,
  ]
    .concat([/\bTOD[O]\b/, /\bFIXM[E]\b/, /\bXX[X]\b/, /https?:\/\/[^\s/]*prox[y]/i])
    .concat([/\bC[l]aude\b/, /\bLL[M]s?\b/, /\bAI[- ](agent|assistant|generated)/i]);
  const isText = (path: string): boolean => !/\.(png|ico|woff2?|gz|db)$/.test(path);
  const wrong = files.filter(isText).flatMap((path) => {
    const text = readFileSync(repoPath(path), 'utf8');
    return forbidden.flatMap((word) => (word.test(text) ? [`${path}: ${word.exec(text)?.[0]}`] : []));
  });
  assert.deepEqual(wrong, []);
});

test('tests wait for conditions: none sleeps, is skipped or stands alone', () => {
  const tests = sources.filter(({ path }) => path.endsWith('.test.ts'));
  const isBanned = (node: ts.Node): boolean =>
    (ts.isImportDeclaration(node) && node.moduleSpecifier.getText() === `'node:timers/promises'`) ||
    (ts.isPropertyAccessExpression(node) &&
      /^(test|it|describe|suite)\.(only|skip|todo)$/.test(node.getText()));
  assert.deepEqual(placesOf(tests, isBanned), []);
});

function placesOf(among: readonly Source[], isWanted: (node: ts.Node) => boolean): string[] {
  return among.flatMap((source) =>
    [...nodesIn(source.tree)].filter(isWanted).map((node) => placeOf(source, node)),
  );
}

function isFunction(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return ts.isFunctionLike(node) && 'body' in node && node.body !== undefined;
}

/** The body of `describe` or `suite` is a list of tests. */
function isSuite(node: ts.Node): boolean {
  return ts.isCallExpression(node.parent) && /^(describe|suite)$/.test(node.parent.expression.getText());
}

function linesOf(source: Source, node: ts.Node): number {
  const lineAt = (position: number): number => source.tree.getLineAndCharacterOfPosition(position).line;
  return lineAt(node.end) - lineAt(node.getStart(source.tree)) + 1;
}

function isConst(node: ts.AsExpression): boolean {
  return node.type.getText() === 'const';
}

function isInParser(node: ts.Node): boolean {
  for (let at: ts.Node | undefined = node; at !== undefined; at = at.parent) {
    if (/^#?(parse|decode|read)([A-Z]|$)/.test(nameOf(at))) return true;
  }
  return false;
}

function nameOf(node: ts.Node): string {
  const isNamed =
    ts.isVariableDeclaration(node) || ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node);
  return isNamed ? (node.name?.getText() ?? '') : '';
}

function mentionsOneOf(type: ts.TypeNode, names: ReadonlySet<string>): boolean {
  return [...nodesIn(type)].some((node) => ts.isIdentifier(node) && names.has(node.text));
}

function isExported(statement: ts.Statement): boolean {
  if (!ts.canHaveModifiers(statement)) return false;
  return ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
}

/** What a statement declares; a schema and the type of the same name are one symbol, documented once. */
function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  }
  const isNamed =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement);
  return isNamed ? [statement.name?.text ?? ''] : [];
}

function hasDocstring(source: Source, statement: ts.Statement): boolean {
  const comments = ts.getLeadingCommentRanges(source.text, statement.getFullStart()) ?? [];
  return comments.some(({ pos }) => source.text.startsWith('/**', pos));
}
