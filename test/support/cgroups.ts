import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { disposable } from './disposal.ts';

/** Control groups of the second version, all empty. */
export interface TestCgroups extends Disposable {
  readonly paths: readonly string[];
}

/** Makes some; disposing removes those that the test has not removed itself. */
export function makeCgroups(count: number): TestCgroups {
  const stamp = `${process.pid}-${process.hrtime.bigint()}`;
  const paths = Array.from({ length: count }, (_, index) => `${cgroupMount()}/pf-${stamp}-${index}`);
  for (const path of paths) mkdirSync(path);
  const release = disposable(() => {
    for (const path of paths) removeIfThere(path);
  });
  return { paths, ...release };
}

/** Where cgroup2 is mounted. @throws Error where it is nowhere */
export function cgroupMount(): string {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((each) => each.split(' ')[2] === 'cgroup2');
  const path = line?.split(' ')[1];
  if (path === undefined) throw new Error('no cgroup2 is mounted');
  return path;
}

function removeIfThere(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
