import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { describeApi, openapiFile } from '../../scripts/openapi.ts';
import { assertRoles } from '../../src/api/server.ts';
import { roles } from '../../src/model/role.ts';
import { operations } from '../support/answer-check.ts';
import { repoPath } from '../support/repo-root.ts';

test('the committed document is the one the routes give; `npm run openapi` writes it', async () => {
  assert.equal(readFileSync(openapiFile, 'utf8'), await describeApi());
});

test('redocly finds nothing wrong with the document', () => {
  const run = spawnSync(repoPath('node_modules/.bin/redocly'), ['lint', '--format=json', openapiFile], {
    encoding: 'utf8',
    cwd: repoPath(),
    env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  });
  assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
  const { totals } = JSON.parse(run.stdout.slice(run.stdout.indexOf('{')));
  assert.deepEqual({ errors: totals.errors, warnings: totals.warnings }, { errors: 0, warnings: 0 });
});

test('every operation has a role and an id of its own', () => {
  const known: readonly string[] = [...roles, 'open'];
  assert.deepEqual(
    operations.filter(({ role }) => !known.includes(role)),
    [],
  );
  const ids = execFileSync('grep', ['-o', '"operationId": "[^"]*"', openapiFile], { encoding: 'utf8' })
    .trim()
    .split('\n');
  assert.equal(new Set(ids).size, operations.length);
});

test('only probes are open to everybody', () => {
  const open = operations.filter(({ role }) => role === 'open').map(({ path }) => path);
  assert.deepEqual(open, ['/healthz', '/readyz']);
});

test('a server with a route that declares no role does not start', () => {
  const handler = (): undefined => undefined;
  assert.doesNotThrow(() =>
    assertRoles([{ method: 'GET', url: '/v1/a', config: { role: 'viewer' }, handler }]),
  );
  assert.throws(
    () =>
      assertRoles([
        { method: 'GET', url: '/v1/a', handler },
        { method: 'PUT', url: '/v1/b', config: {}, handler },
      ]),
    /declare no role: GET \/v1\/a, PUT \/v1\/b/,
  );
});
