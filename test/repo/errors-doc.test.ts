import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { errorCatalogue } from '../../src/model/error.ts';
import { repoPath } from '../support/repo-root.ts';

/** One row of the table: a code, its status, and what else is said of it (at least the cure). */
const row = /^\| `([a-z_]+)` \| (\d{3}) \| (.{20,}) \|$/gm;

test('docs/errors.md lists every error code with its status, and no other', () => {
  const rows = [...readFileSync(repoPath('docs/errors.md'), 'utf8').matchAll(row)];
  const documented = rows.map(([, code, status]) => `${code} ${status}`);
  const known = Object.entries(errorCatalogue).map(([code, { status }]) => `${code} ${status}`);
  assert.deepEqual(documented.sort(), known.sort());
});
