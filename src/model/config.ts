import { type ClusterSettings, parseClusterSettings } from './cluster/settings.ts';
import { parseDurationMs } from './duration.ts';
import { PinfoldError } from './error.ts';
import { type PinSelection, parsePinSelection } from './finding/selection.ts';
import { parseThresholds, type Thresholds } from './finding/thresholds.ts';
import { type GcSettings, parseGcSettings } from './gc/policy.ts';
import { type LogLevel, logLevels } from './log.ts';
import { isRecord } from './record.ts';
import { type Role, roles } from './role.ts';
import { type AddressRange, parseRange } from './webhook/address.ts';

/** Everything an agent is told at its start. */
export interface AgentConfig {
  readonly bpffs: string;
  readonly stateDir: string;
  readonly runDir: string;
  /** Undefined: no TCP, only the unix socket. */
  readonly listen: TcpAddress | undefined;
  readonly node: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly mountBpffs: boolean;
  readonly readOnly: boolean;
  readonly pinsOnly: boolean;
  /** Host names, besides loopback ones, by which browsers and scrapers may call. */
  readonly allowHosts: readonly string[];
  readonly tls: TlsFiles | undefined;
  readonly openMetrics: boolean;
  /** Have the kernel measure how often and how long programs run, for as long as the agent does. */
  readonly programStats: boolean;
  readonly retentionMs: number;
  /** What history may take in the database, about. */
  readonly retentionBytes: number;
  readonly logLevel: LogLevel;
  /** Roles of local users and groups on the unix socket, by name or number; root is always admin. */
  readonly users: Readonly<Record<string, Role>>;
  readonly groups: Readonly<Record<string, Role>>;
  /** Where webhooks may lead besides addresses that everybody can route to. */
  readonly webhookAllow: readonly AddressRange[];
  readonly webhookCa: string | undefined;
  readonly findings: Thresholds;
  /** Pins that have metrics of their own. */
  readonly pinSeries: PinSelection;
  readonly gc: GcSettings;
  readonly cluster: ClusterSettings;
}

/** Where TCP is served; port 0 lets the kernel choose one. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** PEM files of a TLS server; with a client CA, callers without a certificate of it are refused. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

/**
 * One thing that can be set: by flag, by `PINFOLD_*`, or by a key of the YAML file, in this order of
 * precedence.
 */
export interface AgentOption {
  readonly name: string;
  readonly takes: 'text' | 'list' | 'switch';
  /** What stands for the value in help texts. */
  readonly value: string;
  readonly help: string;
}

const option = (name: string, takes: AgentOption['takes'], value: string, help: string): AgentOption => ({
  name,
  takes,
  value,
  help,
});

/**
 * The options of `pinfold agent`; help, completion, flags, environment and file are all read from this
 * table.
 */
export const agentOptions: readonly AgentOption[] = [
  option('bpffs', 'text', 'PATH', 'the BPF filesystem that requests address without ?mount='),
  option('state-dir', 'text', 'DIR', 'where the database and the admin token are kept'),
  option('run-dir', 'text', 'DIR', 'where the unix socket is made'),
  option('listen', 'text', 'HOST:PORT', 'the TCP address, or none'),
  option('node', 'text', 'NAME', 'the name of this node; the host name unless told'),
  option('label', 'list', 'KEY=VALUE', 'a label of this node; may be repeated'),
  option('mount-bpffs', 'switch', '', 'mount a bpffs at --bpffs if nothing is mounted there'),
  option('read-only', 'switch', '', 'refuse every change'),
  option('pins-only', 'switch', '', 'never use ids; needs no capability but uid 0'),
  option('allow-host', 'list', 'NAME', 'a Host header to accept besides loopback names; may be repeated'),
  option('tls-cert', 'text', 'FILE', 'PEM certificate for TCP'),
  option('tls-key', 'text', 'FILE', 'PEM key for TCP'),
  option('tls-client-ca', 'text', 'FILE', 'PEM certificates that must have signed those of callers'),
  option('open-metrics', 'switch', '', 'serve /metrics without credentials'),
  option('program-stats', 'switch', '', 'measure all the time how often and how long programs run'),
  option('retention', 'text', 'TIME', 'how long history is kept, such as 30d'),
  option('retention-size', 'text', 'SIZE', 'how much of it is kept, such as 1GiB'),
  option('webhook-allow', 'list', 'CIDR', 'addresses webhooks may also lead to, http too; may be repeated'),
  option(
    'webhook-ca',
    'text',
    'FILE',
    'PEM certificates that receivers of webhooks may be signed by as well',
  ),
  option('log-level', 'text', 'LEVEL', 'error, warn, info or debug'),
  option('etcd', 'list', 'URL', 'a member of the etcd a fleet meets in; may be repeated'),
  option('etcd-ca', 'text', 'FILE', 'PEM certificates that must have signed those of etcd'),
  option('etcd-cert', 'text', 'FILE', 'PEM certificate to show etcd'),
  option('etcd-key', 'text', 'FILE', 'PEM key of that certificate'),
  option('cluster-key', 'text', 'FILE', 'the key of the fleet; pinfold cluster init makes one'),
  option('manager', 'switch', '', 'serve the whole fleet, too'),
  option('advertise', 'text', 'HOST:PORT', 'where managers reach this agent, if not where it listens'),
  option('fleet-role', 'text', 'ROLE', 'the most a manager may do here, whoever calls it'),
  option('config', 'text', 'FILE', 'a YAML file: these names, users:, groups:, findings:, metrics: and gc:'),
];

/** A wrong setting, in one sentence for whoever started the agent. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** What one source says: values by option name. */
export type Settings = Readonly<Record<string, string | boolean | readonly string[]>>;

/** Reads `PINFOLD_STATE_DIR` and its sisters; lists are separated by commas. @throws ConfigError */
export function parseEnvironment(env: Readonly<Record<string, string | undefined>>): Settings {
  const settings: Record<string, string | boolean | readonly string[]> = {};
  for (const { name, takes } of agentOptions) {
    const variable = `PINFOLD_${name.toUpperCase().replaceAll('-', '_')}`;
    const value = env[variable];
    if (value === undefined || value === '') continue;
    if (takes === 'switch') settings[name] = parseSwitch(variable, value);
    else settings[name] = takes === 'list' ? value.split(',') : value;
  }
  return settings;
}

/** The whole configuration from its sources; what comes first wins. @throws ConfigError */
export function mergeConfig(sources: {
  readonly flags: Settings;
  readonly env: Settings;
  /** The YAML document, or undefined without a file. */
  readonly file: unknown;
  /** The mode of the file (inode(7)); undefined where the document comes from no file. */
  readonly fileMode?: number;
  readonly hostName: string;
}): AgentConfig {
  const { settings: file, users, groups, ...others } = parseFile(sources.file);
  assertTrustworthy({ users, groups }, sources.fileMode ?? 0);
  const merged: Settings = { ...file, ...sources.env, ...sources.flags };
  const text = (name: string, otherwise: string): string => {
    const value = merged[name];
    return typeof value === 'string' ? value : otherwise;
  };
  return {
    bpffs: absolute('bpffs', text('bpffs', '/sys/fs/bpf')),
    stateDir: absolute('state-dir', text('state-dir', '/var/lib/pinfold')),
    runDir: absolute('run-dir', text('run-dir', '/run/pinfold')),
    listen: parseListen(text('listen', '127.0.0.1:7463')),
    node: parseNode(text('node', sources.hostName)),
    labels: parseLabels(listOf(merged['label'])),
    mountBpffs: merged['mount-bpffs'] === true,
    readOnly: merged['read-only'] === true,
    pinsOnly: merged['pins-only'] === true,
    allowHosts: listOf(merged['allow-host']).map((name) => name.toLowerCase()),
    tls: parseTls(text('tls-cert', ''), text('tls-key', ''), text('tls-client-ca', '')),
    openMetrics: merged['open-metrics'] === true,
    programStats: merged['program-stats'] === true,
    retentionMs: parseRetention(text('retention', '30d')),
    retentionBytes: parseRetentionSize(text('retention-size', '1GiB')),
    logLevel: parseLogLevel(text('log-level', 'info')),
    cluster: parsePart(parseClusterSettings, {
      etcd: listOf(merged['etcd']),
      name: text('node', sources.hostName),
      etcdCa: text('etcd-ca', ''),
      etcdCert: text('etcd-cert', ''),
      etcdKey: text('etcd-key', ''),
      keyFile: text('cluster-key', ''),
      hasCertificates: text('tls-client-ca', '') !== '',
      isManager: merged['manager'] === true,
      advertise: text('advertise', ''),
      roleMax: text('fleet-role', 'operator'),
    }),
    webhookAllow: listOf(merged['webhook-allow']).map(parseAllowed),
    webhookCa: text('webhook-ca', '') || undefined,
    users,
    groups,
    ...others,
  };
}

/** What only the file can say, and what it says of the options. */
interface FileSettings extends Pick<AgentConfig, 'users' | 'groups' | 'findings' | 'pinSeries' | 'gc'> {
  readonly settings: Settings;
}

function parseFile(given: unknown): FileSettings {
  const document = given ?? {};
  if (!isRecord(document))
    throw new ConfigError('The configuration file must be a mapping of names to values.');
  const { users, groups, findings, metrics, gc, ...rest } = document;
  const settings: Record<string, string | boolean | readonly string[]> = {};
  for (const [key, value] of Object.entries(rest)) {
    const known = agentOptions.find((candidate) => candidate.name === key.replaceAll('_', '-'));
    if (known === undefined)
      throw new ConfigError(`"${key}" in the configuration file is not a setting of the agent.`);
    if (known.name === 'config')
      throw new ConfigError('"config" in the configuration file would have no effect: there is one file.');
    if (Object.hasOwn(settings, known.name))
      throw new ConfigError(`"${known.name}" is twice in the configuration file, spelled with - and with _.`);
    settings[known.name] = fileValue(known, value);
  }
  return {
    settings,
    users: parseRoles('users', users),
    groups: parseRoles('groups', groups),
    findings: parsePart(parseThresholds, findings),
    pinSeries: parsePart(parsePinSelection, metrics),
    gc: parsePart(parseGcSettings, gc),
  };
}

/** A part of the file that has a parser of its own. @throws ConfigError */
function parsePart<Part, Given>(parse: (document: Given) => Part, document: Given): Part {
  try {
    return parse(document);
  } catch (error) {
    if (error instanceof RangeError || error instanceof PinfoldError) throw new ConfigError(error.message);
    throw error;
  }
}

/** Whoever can write a file that gives roles gives themselves the highest. @throws ConfigError */
function assertTrustworthy({ users, groups }: Pick<AgentConfig, 'users' | 'groups'>, mode: number): void {
  const grants = Object.keys(users).length + Object.keys(groups).length;
  if (grants === 0 || (mode & 0o022) === 0) return;
  throw new ConfigError(
    'The configuration file gives roles, and others than its owner can write it: chmod go-w it.',
  );
}

function fileValue({ name, takes }: AgentOption, value: unknown): string | boolean | readonly string[] {
  if (takes === 'switch') {
    if (typeof value === 'boolean') return value;
    throw new ConfigError(`"${name}" in the configuration file must be true or false.`);
  }
  if (takes === 'list') {
    if (isRecord(value)) return Object.entries(value).map(([key, item]) => `${key}=${String(item)}`);
    return Array.isArray(value) ? value.map(String) : [String(value)];
  }
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new ConfigError(`"${name}" in the configuration file must be a text.`);
}

function parseRoles(what: string, value: unknown): Record<string, Role> {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) throw new ConfigError(`"${what}" in the configuration file must map names to roles.`);
  const parsed: Record<string, Role> = {};
  for (const [name, given] of Object.entries(value)) {
    const role = roles.find((candidate) => candidate === given);
    if (role === undefined) {
      throw new ConfigError(
        `"${String(given)}" is not a role; ${what}.${name} is one of ${roles.join(', ')}.`,
      );
    }
    parsed[name] = role;
  }
  return parsed;
}

function parseListen(text: string): TcpAddress | undefined {
  if (text === 'none') return undefined;
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) {
    throw new ConfigError(
      `--listen wants HOST:PORT, such as 127.0.0.1:7463, or none; it was given "${text}".`,
    );
  }
  return { host, port: Number(port) };
}

function parseTls(cert: string, key: string, clientCa: string): TlsFiles | undefined {
  if (cert === '' && key === '' && clientCa === '') return undefined;
  if (cert === '' || key === '') throw new ConfigError('TLS needs both --tls-cert and --tls-key.');
  return { cert, key, clientCa: clientCa === '' ? undefined : clientCa };
}

function parseLabels(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
      if (key === undefined || value === undefined)
        throw new ConfigError(`--label wants KEY=VALUE; it was given "${pair}".`);
      return [key, value] as const;
    }),
  );
}

function parseNode(name: string): string {
  if (/^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(name)) return name;
  throw new ConfigError(
    `"${name}" is not a node name: letters, digits, dots, dashes and underscores; give another with --node.`,
  );
}

function parseRetention(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined || ms < 60_000)
    throw new ConfigError(`--retention wants a time of at least 1m, such as 30d; it was given "${text}".`);
  return ms;
}

function parseRetentionSize(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,9})(KiB|MiB|GiB|TiB)?$/.exec(text) ?? [];
  const bytes = Number(digits) * 1024 ** ['', 'KiB', 'MiB', 'GiB', 'TiB'].indexOf(unit);
  if (bytes >= 1024 ** 2) return bytes;
  throw new ConfigError(
    `--retention-size wants a size of at least 1MiB, such as 512MiB; it was given "${text}".`,
  );
}

function parseLogLevel(text: string): LogLevel {
  const level = logLevels.find((candidate) => candidate === text);
  if (level === undefined)
    throw new ConfigError(`--log-level is one of ${logLevels.join(', ')}; it was given "${text}".`);
  return level;
}

function parseAllowed(text: string): AddressRange {
  const range = parseRange(text);
  if (range !== undefined) return range;
  throw new ConfigError(
    `--webhook-allow wants addresses such as 10.0.0.0/8 or fd00::/8; it was given "${text}".`,
  );
}

function parseSwitch(where: string, text: string): boolean {
  if (text === 'true' || text === '1' || text === 'yes') return true;
  if (text === 'false' || text === '0' || text === 'no') return false;
  throw new ConfigError(`${where} is true or false; it was given "${text}".`);
}

function absolute(name: string, path: string): string {
  if (path.startsWith('/')) return path;
  throw new ConfigError(`--${name} wants an absolute path; it was given "${path}".`);
}

function listOf(value: string | boolean | readonly string[] | undefined): readonly string[] {
  if (value === undefined || typeof value === 'boolean') return [];
  return typeof value === 'string' ? [value] : value;
}
