import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import openapiTypescript, { astToString, COMMENT_HEADER } from 'openapi-typescript';
import { repoPath } from '../support/repo-root.ts';

test('the client is generated from the OpenAPI document that is committed', async () => {
  const document = JSON.parse(readFileSync(repoPath('openapi/pinfold.json'), 'utf8'));
  const fresh = `${COMMENT_HEADER}${astToString(await openapiTypescript(document, { silent: true }))}`;
  const committed = readFileSync(repoPath('src/client/generated.ts'), 'utf8');
  const how = 'run npx openapi-typescript openapi/pinfold.json -o src/client/generated.ts';
  assert.ok(committed === fresh, `src/client/generated.ts is stale: ${how}`);
});
