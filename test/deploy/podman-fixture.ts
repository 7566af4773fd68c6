import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { disposable } from '../support/disposal.ts';
import { type Child, start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';
import { hookScript, makeRootfs } from './oci-fixture.ts';

/** What a container runs: it says that it does, and ends with its standard input. */
const script = 'echo runs; read line; echo ends';

/** Podman with storage, networks and hooks of its own, in mount and network namespaces of its own. */
export interface Podman extends Disposable {
  /** `podman run` with these options more. */
  run(...options: readonly string[]): Child;
}

/**
 * Podman as it is installed, with the hooks of deploy/oci, and a network named `pf` whose chain is a bridge
 * and deploy/cni with `plugin` as its configuration.
 */
export function openPodman(socket: string, plugin: object): Podman {
  const dir = tempDir('podman');
  const at = (...names: readonly string[]): string => join(dir.path, ...names);
  for (const name of ['hooks', 'net', 'bin']) mkdirSync(at(name));
  const rootfs = makeRootfs(dir.path);
  installHooks(at('hooks'), socket);
  install(repoPath('deploy/cni/pinfold'), at('bin/pinfold'), socket);
  const ipam = { type: 'host-local', ranges: [[{ subnet: '10.253.7.0/24' }]] };
  const plugins = [
    { type: 'bridge', bridge: 'pf-br0', ipam },
    { type: 'pinfold', ...plugin },
  ];
  writeFileSync(at('net/pf.conflist'), JSON.stringify({ cniVersion: '1.0.0', name: 'pf', plugins }));
  const dirs = `cni_plugin_dirs = ["${at('bin')}", "/usr/lib/cni"]\nnetwork_config_dir = "${at('net')}"`;
  const engine = '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"';
  writeFileSync(at('containers.conf'), `[network]\nnetwork_backend = "cni"\n${dirs}\n${engine}\n`);
  const env = { CONTAINERS_CONF: at('containers.conf') };
  const own = ['--root', at('root'), '--runroot', at('runroot'), '--tmpdir', at('tmp')];
  const storage = [...own, '--storage-driver', 'vfs', '--runtime', 'crun', '--hooks-dir', at('hooks')];
  const fixed = ['--rm', '--interactive', '--cgroups=disabled', '--ulimit', 'nofile=1024:1024'];
  const limits = ['--ulimit', 'nproc=1024:1024', '--volume', '/usr:/usr:ro'];
  return {
    run: (...options) => {
      const words = ['podman', ...storage, 'run', ...fixed, ...limits, ...options];
      return start('unshare', [...apart, ...words, '--rootfs', rootfs, 'sh', '-c', script], { env });
    },
    ...disposable(() => dir[Symbol.dispose]()),
  };
}

/** Namespaces in which podman finds nothing of the machine's containers, and leaves nothing of its own. */
const apart = [
  ...['--net', '--mount', '--propagation', 'private', 'sh', '-c'],
  `mount -t cgroup2 pf-cgroup /sys/fs/cgroup && mkdir -p /var/lib/cni &&
   mount -t tmpfs pf-cni /var/lib/cni && mount -t tmpfs pf-run /run && ip link set lo up && exec "$@"`,
  'sh',
];

function installHooks(directory: string, socket: string): void {
  const script = join(directory, 'pinfold-oci');
  install(hookScript, script, socket);
  for (const name of ['start.json', 'stop.json']) {
    const file = join(directory, name);
    install(repoPath('deploy/oci', name), file, socket);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('/usr/local/libexec/pinfold/pinfold-oci', script));
  }
}

/** A file of deploy as it is, but for where the agent's socket is. */
function install(from: string, to: string, socket: string): void {
  writeFileSync(to, readFileSync(from, 'utf8').replace('/run/pinfold/agent.sock', socket), { mode: 0o755 });
}
