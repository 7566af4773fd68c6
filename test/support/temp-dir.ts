import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { disposable } from './disposal.ts';

/** A directory of the test's own, removed with everything in it when disposed. */
export interface TempDir extends Disposable {
  readonly path: string;
}

/** Makes a private directory, under TMPDIR unless told; `label` is in its name: a leftover tells whose. */
export function tempDir(label = 'dir', under = tmpdir()): TempDir {
  const path = mkdtempSync(join(under, `pf-${label}-`));
  return { path, ...disposable(() => rmSync(path, { recursive: true, force: true })) };
}
