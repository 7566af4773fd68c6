import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import test, { after } from 'node:test';
import { parse } from 'yaml';
import { mergeConfig } from '../../src/model/config.ts';
import { testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { commandLine } from '../support/command-line.ts';
import { start } from '../support/process.ts';
import { repoPath } from '../support/repo-root.ts';
import { consumerPod, daemonPod, documents } from './kubernetes-fixture.ts';

const agent = await testAgent();
after(() => agent[Symbol.asyncDispose]());

const program = join(import.meta.dirname, '..', '..', 'src', `main${extname(import.meta.filename)}`);

const [namespace, config, daemons] = documents;

/** A rule of a seccomp profile, as container engines read it. */
interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly includes?: { readonly caps?: readonly string[] };
  readonly excludes?: { readonly caps?: readonly string[] };
}

interface SeccompProfile {
  readonly syscalls: readonly SeccompRule[];
}

/** System calls of src/kernel/sys that profiles are known to make depend on something. */
const agentCalls = [
  ...['bpf', 'fanotify_init', 'kcmp', 'open_by_handle_at', 'openat2', 'pidfd_getfd', 'pidfd_open'],
  ...['renameat2', 'setns', 'unshare'],
];

test('Kubernetes: the documents match each other and ask the cluster for nothing', () => {
  assert.deepEqual(
    documents.map(({ kind }) => kind),
    ['Namespace', 'ConfigMap', 'DaemonSet'],
  );
  assert.deepEqual(
    [config.metadata.namespace, daemons.metadata.namespace],
    Array(2).fill(namespace.metadata.name),
  );
  const { matchLabels } = daemons.spec.selector;
  assert.deepEqual(daemons.spec.template.metadata.labels, matchLabels);
  for (const pod of [daemonPod, consumerPod]) {
    assert.equal(pod.automountServiceAccountToken, false);
    const volumes = pod.volumes.map(({ name }) => name);
    for (const { volumeMounts } of [...pod.initContainers, ...pod.containers]) {
      for (const { name } of volumeMounts) assert.ok(volumes.includes(name), name);
    }
  }
});

test('Kubernetes: the agent has the rights of deploy/compose; only what mounts is privileged', () => {
  const { services } = parse(readFileSync(repoPath('deploy/compose/node.yml'), 'utf8'));
  const [container] = daemonPod.containers;
  const { privileged, capabilities } = container?.securityContext ?? {};
  assert.equal(privileged, undefined);
  assert.deepEqual([capabilities?.drop, capabilities?.add], [['ALL'], services.agent.cap_add]);
  assert.equal(container?.image, services.agent.image);
  const all = [...daemonPod.initContainers, ...daemonPod.containers, ...consumerPod.initContainers];
  for (const { name, securityContext, volumeMounts } of all) {
    const handsOut = volumeMounts.some(({ mountPropagation }) => mountPropagation === 'Bidirectional');
    assert.equal(
      securityContext.privileged === true,
      handsOut,
      `${name}: the API server refuses it otherwise`,
    );
    assert.equal(securityContext.readOnlyRootFilesystem, true, name);
  }
});

test('containers: the default seccomp profile lets these capabilities call all that the agent calls', () => {
  // The profile of podman and CRI-O. Docker’s and containerd’s tie setns and unshare to SYS_ADMIN and
  // pidfd_getfd to SYS_PTRACE, which are among them, too.
  const profile: SeccompProfile = JSON.parse(readFileSync('/usr/share/containers/seccomp.json', 'utf8'));
  const { services } = parse(readFileSync(repoPath('deploy/compose/node.yml'), 'utf8'));
  const refused = (capabilities: readonly string[]): readonly string[] => {
    const has = (name: string): boolean => capabilities.includes(name.replace(/^CAP_/, ''));
    const applies = ({ includes, excludes }: SeccompRule): boolean =>
      (includes?.caps ?? []).every(has) && !(excludes?.caps ?? []).some(has);
    const rules = profile.syscalls.filter((rule) => rule.action === 'SCMP_ACT_ALLOW' && applies(rule));
    const allowed = new Set(rules.flatMap(({ names }) => names));
    return agentCalls.filter((name) => !allowed.has(name));
  };
  assert.deepEqual(refused(services.agent.cap_add), []);
  assert.deepEqual(refused([]), ['bpf', 'fanotify_init', 'kcmp', 'open_by_handle_at']);
});

test('Kubernetes: the init container makes a bpffs where there is none, and waits for nothing else', () => {
  const script = daemonPod.initContainers[0]?.args[0] ?? '';
  const inside = (prepare: string): string => {
    const look = 'stat -f -c %T /sys/fs/bpf; stat -c %a /sys/fs/bpf';
    const words = ['--mount', '--propagation', 'private', 'sh', '-euc', `${prepare}\n${script}\n${look}`];
    return execFileSync('unshare', words, { encoding: 'utf8' });
  };
  // The kernel adds the sticky bit to the root of every bpffs.
  assert.equal(inside('mount -t tmpfs pf-none /sys/fs/bpf'), 'bpf_fs\n1755\n');
  const there = inside('mount -t bpf -o mode=0711 pf-there /sys/fs/bpf');
  assert.equal(there, 'bpf_fs\n1711\n', 'what is there is left alone');
});

test('Kubernetes: the configuration is one that the agent takes, and who waits may only look', () => {
  const file = parse(config.data['config.yaml']);
  const merged = mergeConfig({ flags: {}, env: {}, file, hostName: 'node' });
  assert.deepEqual([merged.listen, merged.groups], [undefined, { pinfold: 'viewer' }]);
  const { runAsUser, runAsGroup, allowPrivilegeEscalation, capabilities } =
    consumerPod.initContainers[0]?.securityContext ?? {};
  const image = readFileSync(repoPath('Dockerfile'), 'utf8');
  assert.equal(runAsGroup, Number(/groupadd .*--gid (\d+) pinfold/.exec(image)?.[1]));
  assert.deepEqual(
    [runAsUser === 0, allowPrivilegeEscalation, capabilities],
    [false, false, { drop: ['ALL'] }],
  );
});

/** Runs a command of an example, against this test's agent. */
const pinfold = (args: readonly string[]) =>
  commandLine(['--address', `unix:${agent.socket}`, ...args], { env: { HOME: '/nowhere' } });

test('the commands that the examples run are those of the command line, and do what they say', async () => {
  const alloc = 'c0ffee00-1111-2222-3333-444455556666';
  const tasks = [
    ...readFileSync(repoPath('deploy/nomad/flows-reader.nomad.hcl'), 'utf8').matchAll(
      /^\s*args\s*=\s*(\[.*\])$/gm,
    ),
  ].map(([, list = '[]']): readonly string[] => JSON.parse(list.replace(/\$\{NOMAD_ALLOC_ID\}/, alloc)));
  const verbs = tasks.map(([verb]) => verb);
  assert.deepEqual(verbs, ['claim', 'claim', 'wait', 'release']);
  const [claim = [], renew = [], wait = [], release = []] = tasks;
  execFileSync('mkdir', ['-p', `${agent.bpffs.path}/tc/globals`]);
  const claimed = await pinfold(claim);
  assert.equal(claimed.code, 0, claimed.err);
  using renewing = start(process.execPath, [...process.execArgv, program, ...renew], {
    env: { PINFOLD_ADDRESS: `unix:${agent.socket}` },
  });
  assert.equal(await renewing.line(), `nomad:${alloc} goes on claiming 1 pin for 10m`);
  createMap(`${agent.bpffs.path}/tc/globals/flows`, { name: 'pf_nomad' });
  for (const words of [wait, consumerPod.initContainers[0]?.args ?? []]) {
    const waited = await pinfold(words);
    assert.equal(waited.code, 0, waited.err);
  }
  const owner = encodeURIComponent(`nomad:${alloc}`);
  const { body: kept } = await agent.local.get(`/v1/claims/${owner}`).expect(200);
  assert.deepEqual([kept.lease, kept.labels], ['10m', { runtime: 'nomad' }]);
  assert.equal((await pinfold(release)).code, 0);
  await agent.local.get(`/v1/claims/${owner}`).expect(404);
});
