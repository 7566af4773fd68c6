import assert from 'node:assert/strict';
import { mkdirSync, statSync } from 'node:fs';
import { openBpffs } from '../../src/kernel/bpffs/open-bpffs.ts';
import type { Bpffs, BpffsMount, BpffsRoot } from '../../src/kernel/kernel.ts';
import { Calls } from '../../src/kernel/sys/calls.ts';
import { FdTable } from '../../src/kernel/sys/fd.ts';
import { isPinfoldError, type PinfoldError } from '../../src/model/error.ts';
import { bytesOf } from '../../src/model/path.ts';
import { openFds } from '../support/leaks.ts';

/** The boot id that the tests of this folder give the code under test; any text will do. */
export const bootId = '0f9f2b3c-test-boot';

/** The code under test over the real kernel, with the table of its descriptors. */
export interface Subject {
  readonly fds: FdTable;
  readonly calls: Calls;
  readonly bpffs: Bpffs;
  /** The instance that a path leads to, as a scan finds it; the device is asked of stat(2). */
  mountAt(path: string): BpffsMount;
  /** Its root, opened. */
  rootAt(path: string): BpffsRoot;
}

/** Makes one; `calls` may be a Calls that interferes. */
export function subject(calls = new Calls(new FdTable())): Subject {
  const bpffs = openBpffs(calls, { bootId });
  const mountAt = (path: string): BpffsMount => {
    const id = deviceOf(path);
    const mount = bpffs.scanMounts().find((found) => found.id === id);
    assert.ok(mount, `no instance ${id} in the scan`);
    return mount;
  };
  return { fds: calls.fds, calls, bpffs, mountAt, rootAt: (path) => bpffs.openRoot(mountAt(path)) };
}

/** `major:minor` of what is at a path (a byte string), by stat(2). */
export function deviceOf(path: string): string {
  return deviceText(statSync(bytesOf(path)).dev);
}

/** A device number as stat(1) prints it with `%d`, in mountinfo's form. */
export function deviceText(dev: number): string {
  return `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
}

/** Makes a directory whose name is a byte string. */
export function makeDirectory(path: string): void {
  mkdirSync(bytesOf(path));
}

/** Runs what must be refused, and gives the refusal. */
export function refusalOf(run: () => unknown): PinfoldError {
  try {
    run();
  } catch (error) {
    assert.ok(isPinfoldError(error), `not a PinfoldError: ${String(error)}`);
    return error;
  }
  throw new assert.AssertionError({ message: 'nothing was refused' });
}

/** Runs something and shows that no descriptor stays open by it: neither in the table nor in the process. */
export function leavingNothingOpen<Result>({ fds }: Subject, run: () => Result): Result {
  const before = openFds();
  const result = run();
  assert.deepEqual(
    fds.transient().map((fd) => fd.what),
    [],
  );
  assert.deepEqual(openFds(), before);
  return result;
}
