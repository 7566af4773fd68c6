import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { mergeConfig, parseEnvironment } from '../../src/model/config.ts';
import { repoPath } from '../support/repo-root.ts';

type Environment = readonly {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: unknown;
}[];

const read = (file: string): string => readFileSync(repoPath('deploy/kubernetes', file), 'utf8');
const [manager, service] = parseAllDocuments(read('fleet.yaml')).map((document) => document.toJS());
const patch = parse(read('fleet-agent.yaml')).spec.template.spec;
const daemons = parseAllDocuments(read('pinfold.yaml'))
  .map((document) => document.toJS())
  .find(({ kind }) => kind === 'DaemonSet');

/** What is set for a program, with a stand-in for what only the node knows. */
function settingsOf(env: Environment, nodeIp = '10.0.0.5'): Record<string, string> {
  return Object.fromEntries(
    env.map(({ name, value = 'x1' }) => [name, value.replaceAll('$(NODE_IP)', nodeIp)]),
  );
}

test('Kubernetes: a manager’s pods are those of its service, and told what the program takes', () => {
  const { template } = manager.spec;
  assert.deepEqual(template.metadata.labels, manager.spec.selector.matchLabels);
  assert.deepEqual(service.spec.selector, template.metadata.labels);
  const [container] = template.spec.containers;
  assert.deepEqual(container.securityContext.capabilities, { drop: ['ALL'], add: ['CHOWN'] });
  assert.equal(template.spec.automountServiceAccountToken, false);
  const { cluster, allowHosts } = mergeConfig({
    flags: {},
    env: parseEnvironment(settingsOf(container.env)),
    file: undefined,
    hostName: 'h',
  });
  assert.equal(cluster.etcd.length, 3);
  assert.ok(allowHosts.includes(service.metadata.name));
  const mounted = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
  assert.ok(mounted.includes(cluster.keyFile), 'the key is where it is looked for');
});

test('Kubernetes: the patch is of the agent’s own container, and its settings those of a node', () => {
  const [patched] = patch.containers;
  const [agent] = daemons.spec.template.spec.containers;
  assert.equal(patched.name, agent.name);
  const configAt = (nodeIp: string) =>
    mergeConfig({
      flags: {},
      env: parseEnvironment(settingsOf(patched.env, nodeIp)),
      file: undefined,
      hostName: 'h',
    });
  for (const host of ['10.0.0.5', 'fd00::5']) assert.deepEqual(configAt(host).listen, { host, port: 7463 });
  const { cluster } = configAt('10.0.0.5');
  assert.equal(cluster.etcd.length, 3);
  const etcdOf = (env: Environment): string | undefined => settingsOf(env)['PINFOLD_ETCD'];
  assert.equal(etcdOf(patched.env), etcdOf(manager.spec.template.spec.containers[0].env));
  assert.equal(patched.volumeMounts[0].mountPath, cluster.keyFile);
  assert.equal(patched.volumeMounts[0].name, patch.volumes[0].name);
});
