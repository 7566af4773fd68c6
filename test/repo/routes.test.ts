import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import ts from 'typescript';
import { repoPath } from '../support/repo-root.ts';
import { nodesIn, readSources, repositoryFiles } from './sources.ts';

const methods: ReadonlySet<string> = new Set(['get', 'put', 'post', 'patch', 'delete']);

/** What stands for a part of a URL that only a run of the test knows. */
const unknown = '\u0000';

/** A request as a test writes it: its path without the query, what is computed left open. */
interface Request {
  readonly method: string;
  readonly path: string;
}

/** The URL that an expression begins with; undefined where it is no text at all. */
function urlOf(node: ts.Expression): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(({ literal }) => unknown + literal.text).join('');
  }
  if (ts.isBinaryExpression(node)) return `${urlOf(node.left) ?? unknown}${urlOf(node.right) ?? unknown}`;
  return undefined;
}

function request(method: string, url: string | undefined): readonly Request[] {
  const path = url?.replace(/\?.*$/s, '');
  return path?.startsWith('/') === true ? [{ method, path }] : [];
}

/** `agent.local.get('/v1/pins')`, as supertest has it, or `get('/v1/pins')` of a test's own. */
function calls(node: ts.Node): readonly Request[] {
  if (!ts.isCallExpression(node)) return [];
  const { expression: called } = node;
  const method = ts.isPropertyAccessExpression(called) ? called.name.text : called.getText();
  const [url] = node.arguments;
  return methods.has(method) && url !== undefined ? request(method, urlOf(url)) : [];
}

/** `{ method: 'DELETE', url: '/v1/pins/x' }`, as the caller of test/support takes it. */
function asks(node: ts.Node): readonly Request[] {
  if (!ts.isObjectLiteralExpression(node)) return [];
  const said = new Map(
    node.properties.flatMap((property) =>
      ts.isPropertyAssignment(property) ? [[property.name.getText(), urlOf(property.initializer)]] : [],
    ),
  );
  return request(said.get('method')?.toLowerCase() ?? '', said.get('url'));
}

/** A parameter stands for one segment, a path for as many as there are; fixed segments must be written. */
function matcherOf(template: string): RegExp {
  const source = template
    .split('/')
    .map((segment) => (segment === '{path}' ? '.+' : segment.startsWith('{') ? '[^/]+' : segment))
    .join('/');
  return new RegExp(`^${source}$`, 's');
}

test('every route of the API is asked by a test against a real agent, with each of its methods', () => {
  const files = repositoryFiles().filter((path) => /^test\/(cluster|contract|security|golden)\//.test(path));
  const asked = readSources(files).flatMap(({ tree }) =>
    [...nodesIn(tree)].flatMap((node) => [...calls(node), ...asks(node)]),
  );
  const { paths } = JSON.parse(readFileSync(repoPath('openapi/pinfold.json'), 'utf8'));
  const routes = Object.entries(paths).flatMap(([template, operations]) =>
    Object.keys(Object(operations))
      .filter((method) => methods.has(method))
      .map((method) => ({ method, template, matcher: matcherOf(template) })),
  );
  assert.ok(routes.length > 40, 'the document has routes');
  const never = routes.filter(
    ({ method, matcher }) =>
      !asked.some((request) => request.method === method && matcher.test(request.path)),
  );
  assert.deepEqual(
    never.map(({ method, template }) => `${method.toUpperCase()} ${template}`),
    [],
  );
});
