import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { disposable } from '../support/disposal.ts';
import { type Child, start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';
import { tempDir } from '../support/temp-dir.ts';
import { makeRootfs, removeCgroups } from './oci-fixture.ts';

/** A container of a pod, as far as a node has to do with it. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string }[];
  readonly securityContext: {
    readonly privileged?: boolean;
    readonly runAsUser?: number;
    readonly runAsGroup?: number;
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly capabilities?: { readonly drop: readonly string[]; readonly add?: readonly string[] };
  };
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
    readonly mountPropagation?: string;
  }[];
}

/** What a pod is made from. */
export interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly hostPID?: boolean;
  readonly hostNetwork?: boolean;
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string }[];
}

const read = (name: string): string => readFileSync(repoPath('deploy/kubernetes', name), 'utf8');

/** The documents of pinfold.yaml: namespace, configuration and daemons; and the pod of consumer.yaml. */
export const documents = parseAllDocuments(read('pinfold.yaml')).map((each) => {
  const [problem] = [...each.errors, ...each.warnings];
  if (problem !== undefined) throw problem;
  return each.toJS();
});

/** The pod of an agent. */
export const daemonPod: PodSpec = documents[2].spec.template.spec;
/** A pod that waits. */
export const consumerPod: PodSpec = parse(read('consumer.yaml')).spec;

/** What a node makes a container from, besides its pod: what its volumes and its variables are. */
export interface Node {
  /** Directories by the names of volumes; what is not there is in memory. */
  readonly volumes: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** Pinfold as this test itself was started, where the image has it; its entry point. */
const entrypoint = import.meta.filename.endsWith('.ts')
  ? [process.execPath, '--import', 'tsx', '/opt/pinfold/src/main.ts']
  : [process.execPath, '/opt/pinfold/dist/src/main.js'];

/** Runs a container of a pod with runc, as the kubelet has it run: user, rights, mounts and command. */
export function runContainer(pod: PodSpec, container: Container, node: Node): Child {
  const dir = tempDir('kubernetes');
  const id = `pf-k8s-${container.name}-${process.pid}-${Math.trunc(performance.now())}`;
  const rootfs = makeRootfs(dir.path);
  for (const name of ['opt/pinfold', ...container.volumeMounts.map(({ mountPath }) => mountPath)])
    mkdirSync(join(rootfs, name), { recursive: true });
  // As the image's: Dockerfile.
  writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\npinfold:x:7463:\n');
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(dir.path, 'config.json'), JSON.stringify(configOf(pod, container, node)));
  const own = ['--root', join(dir.path, 'state')];
  const child = start('runc', [...own, 'run', '--bundle', dir.path, id], { cwd: dir.path });
  const release = disposable(() => {
    spawnSync('runc', [...own, 'delete', '--force', id], { timeout: 30_000, stdio: 'ignore' });
    child[Symbol.dispose]();
    removeCgroups(id);
    dir[Symbol.dispose]();
  });
  return { ...child, ...release };
}

function configOf(pod: PodSpec, container: Container, node: Node): object {
  const { securityContext } = container;
  const { runAsUser: uid = 0, runAsGroup: gid = 0, capabilities } = securityContext;
  const names = (capabilities?.add ?? []).map((name) => `CAP_${name}`);
  // Whoever is not root has of these only what it inherits, which is nothing (capabilities(7)).
  const held = { bounding: names, effective: names, permitted: names };
  const env = { PATH: '/usr/bin:/bin', TSX_DISABLE_CACHE: '1', ...node.env };
  const apart = ['mount', 'ipc', 'uts', ...(pod.hostPID === true ? [] : ['pid'])];
  const namespaces = [...apart, ...(pod.hostNetwork === true ? [] : ['network'])].map((type) => ({ type }));
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid, gid },
      args: [...entrypoint, ...container.args.map((word) => expanded(word, env))],
      env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      cwd: '/opt/pinfold',
      capabilities: held,
      noNewPrivileges: securityContext.allowPrivilegeEscalation === false,
    },
    root: { path: 'rootfs', readonly: securityContext.readOnlyRootFilesystem === true },
    mounts: [...usual, ...container.volumeMounts.map((mount) => mountOf(mount, node))],
    linux: { namespaces, rootfsPropagation: 'rslave' },
  };
}

const readOnly = ['rbind', 'ro'];
const usual = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', 'rslave', 'ro'] },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
  { destination: '/usr', type: 'bind', source: '/usr', options: readOnly },
  { destination: '/opt/pinfold', type: 'bind', source: repoPath(), options: readOnly },
];

function mountOf({ name, mountPath, ...how }: Container['volumeMounts'][number], { volumes }: Node): object {
  const source = volumes[name];
  const rights = how.readOnly === true ? ['ro'] : [];
  if (source === undefined)
    return { destination: mountPath, type: 'tmpfs', source: 'tmpfs', options: ['mode=1777', ...rights] };
  const options = ['rbind', how.mountPropagation === undefined ? 'rprivate' : 'rslave', ...rights];
  return { destination: mountPath, type: 'bind', source, options };
}

/** `$(NAME)` in words of a command, as Kubernetes puts variables in. */
function expanded(word: string, env: Readonly<Record<string, string>>): string {
  return word.replaceAll(/\$\((\w+)\)/g, (whole, name: string) => env[name] ?? whole);
}
