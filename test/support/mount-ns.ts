import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { disposable } from './disposal.ts';
import type { Child } from './process.ts';
import { start } from './process.ts';

/** A mount namespace of the test's own (and a network namespace), with a bpffs of its own at /sys/fs/bpf. */
export interface Namespaces extends Disposable {
  /** The process that keeps them alive. */
  readonly pid: number;
  /** The namespace's /sys/fs/bpf as it is reached from outside. */
  readonly bpffs: string;
  /** Runs a command inside and gives its standard output; throws when it fails. */
  run(command: string, ...args: readonly string[]): string;
  /** Starts a longer-lived command inside. */
  start(command: string, ...args: readonly string[]): Child;
}

/** What namespaces are made with. */
export interface NamespaceOptions {
  readonly net?: boolean;
  readonly cpu?: number;
}

/**
 * Makes the namespaces and waits until their bpffs is mounted; disposing ends them with all that was mounted
 * in them.
 *
 * tc and ip are run like this, never as `tc -n` or `ip netns exec`: those remount /sys, and what they pin
 * dies with the command. With `net` the network namespace is new and holds only `lo`, which is up. With `cpu`
 * they are made on that processor.
 */
export async function openNamespaces(options: NamespaceOptions = {}): Promise<Namespaces> {
  const net = options.net === true;
  const on = options.cpu === undefined ? [] : ['taskset', '-c', String(options.cpu)];
  const prepare = `mount -t bpf pf-bpffs /sys/fs/bpf${net ? ' && ip link set lo up' : ''}`;
  const script = `${prepare} && echo ready && exec cat`;
  const flags = ['--mount', '--propagation', 'private', ...(net ? ['--net'] : [])];
  const [command = '', ...args] = [...on, 'unshare', ...flags, 'sh', '-c', script];
  const keeper = start(command, args);
  await keeper.line(/^ready$/);
  const enter = [
    `--mount=/proc/${keeper.pid}/ns/mnt`,
    ...(net ? [`--net=/proc/${keeper.pid}/ns/net`] : []),
    '--',
  ];
  return {
    pid: keeper.pid,
    bpffs: `/proc/${keeper.pid}/root/sys/fs/bpf`,
    run: (command, ...args) => execFileSync('nsenter', [...enter, command, ...args], { encoding: 'utf8' }),
    start: (command, ...args) => start('nsenter', [...enter, command, ...args]),
    ...disposable(() => keeper[Symbol.dispose]()),
  };
}

/**
 * Makes a mount namespace and has a bind mount at `at`, a file, keep it.
 *
 * Only one with a higher number than one's own may be bound (mnt_ns_loop, fs/namespace.c), and since 6.18
 * each processor gives numbers of its own, rising (gen_cookie_next): one made on the processor that ours was
 * made on will do.
 */
export async function openBoundNamespace(at: string): Promise<Namespaces> {
  writeFileSync(at, '');
  const refused: unknown[] = [];
  for (const cpu of cpus().keys()) {
    const inside = await openNamespaces({ cpu });
    try {
      execFileSync('mount', ['--bind', `/proc/${inside.pid}/ns/mnt`, at], { stdio: 'pipe' });
      return inside;
    } catch (error) {
      refused.push(error);
      inside[Symbol.dispose]();
    }
  }
  throw new AggregateError(refused, `no mount namespace could be bound to ${at}`);
}
