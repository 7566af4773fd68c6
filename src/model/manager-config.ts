import { type AgentConfig, type AgentOption, agentOptions, ConfigError, mergeConfig } from './config.ts';
import { isRecord } from './record.ts';

/** Everything a manager by itself is told at its start: what of an agent's settings needs no node. */
export interface ManagerConfig
  extends Pick<
    AgentConfig,
    'runDir' | 'listen' | 'allowHosts' | 'tls' | 'openMetrics' | 'logLevel' | 'users' | 'groups' | 'cluster'
  > {
  /** By which nodes and their histories know it. */
  readonly name: string;
}

/** The options of an agent that a manager by itself has, too; they mean the same. */
const shared: readonly string[] = [
  'run-dir',
  'listen',
  'node',
  'allow-host',
  'tls-cert',
  'tls-key',
  'tls-client-ca',
  'open-metrics',
  'log-level',
  'etcd',
  'etcd-ca',
  'etcd-cert',
  'etcd-key',
  'cluster-key',
  'config',
];

const wording: Readonly<Record<string, string>> = {
  node: 'the name of this manager; the host name unless told',
  config: 'a YAML file: these names, users: and groups:',
};

/** The options of `pinfold manager`. */
export const managerOptions: readonly AgentOption[] = agentOptions
  .filter(({ name }) => shared.includes(name))
  .map((option) => ({ ...option, help: wording[option.name] ?? option.help }));

/** What the file of a manager can say beside its options. */
const fileOnly: readonly string[] = ['users', 'groups'];

/** The whole configuration of a manager from its sources; what comes first wins. @throws ConfigError */
export function mergeManagerConfig(sources: Parameters<typeof mergeConfig>[0]): ManagerConfig {
  const { file } = sources;
  for (const key of isRecord(file) ? Object.keys(file) : []) {
    if (shared.includes(key.replaceAll('_', '-')) || fileOnly.includes(key)) continue;
    throw new ConfigError(`"${key}" in the configuration file is not a setting of the manager.`);
  }
  const { flags, env: given } = sources;
  if (flags['etcd'] === undefined && given['etcd'] === undefined && !(isRecord(file) && 'etcd' in file)) {
    throw new ConfigError(
      'A manager by itself serves the fleet that meets in an etcd: name it with --etcd URL.',
    );
  }
  const own = Object.entries(sources.env).filter(([name]) => shared.includes(name));
  const env = { ...Object.fromEntries(own), manager: true };
  const config = mergeConfig({ ...sources, env });
  const { runDir, listen, allowHosts, tls, openMetrics, logLevel, users, groups, cluster, node } = config;
  return { name: node, runDir, listen, allowHosts, tls, openMetrics, logLevel, users, groups, cluster };
}
