import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { disposable } from '../support/disposal.ts';
import { type Child, start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Debian's runtimes, and how they are called. */
export type Runtime = 'runc' | 'crun';

/**
 * crun works with one hierarchy of control groups only; where the machine has the old ones too, it is shown
 * the new one in a mount namespace of its own.
 */
export const oneHierarchy = [
  'unshare',
  '--mount',
  '--propagation',
  'private',
  'sh',
  '-c',
  'mount -t cgroup2 pf-cgroup /sys/fs/cgroup && exec "$@"',
  'sh',
] as const;

const commands = {
  runc: ['runc'],
  crun: [...oneHierarchy, 'crun', '--cgroup-manager=disabled'],
} as const;

/** The hook as it is installed. */
export const hookScript = repoPath('deploy/oci/pinfold-oci');

/** What a container of a test is made from. */
export interface BundleOptions {
  /** The agent's socket, which the hooks are told. */
  readonly socket: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** What its shell runs. */
  readonly script: string;
  /** The stage of the first hook: `createRuntime` unless told. */
  readonly stage?: 'createRuntime' | 'prestart';
  /** Seconds a container waits at most. */
  readonly seconds?: number;
}

/** A container that a runtime can run. */
export interface Bundle extends Disposable {
  readonly id: string;
  /** Runs it in the foreground until it ends. */
  run(): Child;
  /** What the runtime is called with, beside its own verb. */
  runtime(...words: readonly string[]): Child;
}

/** A root file system that borrows the host's programs and owns nothing. */
export function makeRootfs(directory: string): string {
  const rootfs = join(directory, 'rootfs');
  for (const name of ['usr', 'proc', 'dev', 'etc', 'sys', 'tmp', 'run', 'var']) {
    mkdirSync(join(rootfs, name), { recursive: true });
  }
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(rootfs, name));
  return rootfs;
}

/** A bundle (OCI runtime specification) for this runtime; disposing ends and deletes the container. */
export function makeBundle(runtime: Runtime, id: string, options: BundleOptions): Bundle {
  const dir = tempDir('bundle');
  makeRootfs(dir.path);
  writeFileSync(join(dir.path, 'config.json'), JSON.stringify(configOf(options)));
  const [program, ...args] = [...commands[runtime], '--root', join(dir.path, 'state')];
  const call = (...words: readonly string[]): Child => start(program, [...args, ...words], { cwd: dir.path });
  return {
    id,
    run: () => call('run', '--bundle', dir.path, id),
    runtime: call,
    ...disposable(() => {
      // Synchronously, so that nothing of it is left whatever the test came to.
      // Its hooks run too; where there is no such container there is nothing to do.
      spawnSync(program, [...args, 'delete', '--force', id], { timeout: 30_000, stdio: 'ignore' });
      removeCgroups(id);
      dir[Symbol.dispose]();
    }),
  };
}

function configOf({ socket, annotations, script, ...options }: BundleOptions): object {
  const env = [`PINFOLD_SOCKET=${socket}`, `PINFOLD_TIMEOUT=${options.seconds ?? 60}`];
  const hook = (event: string): object => ({ path: hookScript, args: ['pinfold-oci', event], env });
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/bin/sh', '-c', script],
      env: ['PATH=/usr/bin:/bin'],
      cwd: '/',
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/usr', type: 'bind', source: '/usr', options: ['rbind', 'ro'] },
    ],
    annotations,
    hooks: { [options.stage ?? 'createRuntime']: [hook('start')], poststop: [hook('stop')] },
    linux: { namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type })) },
  };
}

/** A container whose runtime was killed while it was made has no state to delete it by. */
export function removeCgroups(id: string): void {
  const root = '/sys/fs/cgroup';
  for (const path of [root, ...readdirSync(root).map((name) => join(root, name))].map((at) => join(at, id))) {
    if (existsSync(path)) rmdirSync(path);
  }
}
