import { mkdirSync, rmdirSync } from 'node:fs';
import type { PinnableKind } from '../../src/model/kind.ts';
import { compileC } from './c-program.ts';
import { disposable } from './disposal.ts';
import { type Child, start } from './process.ts';
import { until } from './until.ts';

/** A process that holds an object in one way only. */
export interface HeldInOneWay extends Disposable {
  readonly pid: number;
  readonly child: Child;
  /** The object that is held that way. */
  readonly subject: { readonly kind: PinnableKind; readonly id: number };
  /** Other objects that matter, in the order in which test/support/c/hold-ways.c tells of them. */
  readonly others: readonly { readonly kind: PinnableKind; readonly id: number }[];
  /** `fd`, `child`: numbers the way is about. */
  readonly facts: Readonly<Record<string, number>>;
}

/** Where a way may put things. */
export interface Places {
  /** A directory in a bpffs. */
  readonly bpffs: string;
  /** A plain directory, or a cgroup, as the way needs it. */
  readonly directory: string;
}

/**
 * Holds an object in one way (test/support/c/hold-ways.c names them); the errno's name where this kernel
 * refuses it.
 */
export async function holdInWay(way: string, { bpffs, directory }: Places): Promise<HeldInOneWay | string> {
  const child = start(compileC('hold-ways'), [way, bpffs, directory]);
  const last = await child.line(/^(?:ready|refused .*)$/);
  if (last !== 'ready') {
    child[Symbol.dispose]();
    return last.slice('refused '.length);
  }
  const told = child.lines.slice(0, -1).map((line) => JSON.parse(line) as Told);
  const objects = told.flatMap((one) => ('kind' in one ? one : []));
  const [subject, ...others] = objects;
  if (subject === undefined) throw new Error(`the way ${way} told of no object`);
  const facts = Object.fromEntries(told.flatMap((one) => ('name' in one ? [[one.name, one.value]] : [])));
  return { pid: child.pid, child, subject, others, facts, [Symbol.dispose]: () => child[Symbol.dispose]() };
}

type Told =
  | { readonly kind: PinnableKind; readonly id: number }
  | { readonly name: string; readonly value: number };

/** Where the cgroups of version 2 are mounted on this machine. */
export const cgroupRoot = '/sys/fs/cgroup/unified';

/** A cgroup of the test's own below the root, by its path; disposing removes it when it is empty. */
export function makeCgroup(path: string): Disposable & { readonly path: string; removed(): Promise<void> } {
  const whole = `${cgroupRoot}${path}`;
  mkdirSync(whole, { recursive: true });
  const release = disposable(() => removeUpwards(path));
  return {
    path: whole,
    ...release,
    removed: async () => {
      await until(`the end of cgroup ${path}`, () => removeUpwards(path));
    },
  };
}

/** Removes a cgroup and those above it that are empty; tells whether it is gone. */
function removeUpwards(path: string): boolean {
  for (let names = path.split('/'); names.length > 1; names = names.slice(0, -1)) {
    try {
      rmdirSync(`${cgroupRoot}${names.join('/')}`);
    } catch (error) {
      const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isGone) return names.join('/') !== path;
    }
  }
  return true;
}
