import { existsSync, readFileSync, statSync } from 'node:fs';
import { hostname, uptime } from 'node:os';
import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import type { Agent } from './agent/agent.ts';
import type { AgentOptions } from './agent/create-agent.ts';
import type { RecoveryReport } from './agent/recovery/recover.ts';
import type { Resolve } from './agent/webhook/connect.ts';
import { ensureAdminToken } from './api/admin-token.ts';
import type { Parts } from './api/app.ts';
import { greetingText } from './api/greeting.ts';
import type { TlsTexts } from './api/listener.ts';
import { createLocalRoles, groupIdOf } from './api/local-roles.ts';
import { StreamSlots } from './api/ndjson.ts';
import { explainStartFailure } from './api/start-failure.ts';
import { CachedTokens } from './api/token-cache.ts';
import { socketGroup } from './api/unix-socket.ts';
import { runCli } from './cli/run-cli.ts';
import type { OpenFleet } from './cluster/open-fleet.ts';
import type { Kernel } from './kernel/kernel.ts';
import { mountLabel } from './metrics/mount-label.ts';
import type { Clock } from './model/clock.ts';
import {
  type AgentConfig,
  ConfigError,
  mergeConfig,
  parseEnvironment,
  type Settings,
} from './model/config.ts';
import { limits } from './model/limits.ts';
import { createLog, describeError, type Log } from './model/log.ts';
import type { OnStep } from './model/step.ts';

/** What surrounds an agent's process; tests give their own. */
export interface Surroundings {
  readonly log: Log;
  /** Descriptors a service manager has opened for us. */
  readonly inheritedFds?: readonly number[];
  readonly onStep?: OnStep;
  /** Time, if not the machine's. */
  readonly clock?: Clock;
  /** How names of receivers become addresses, if not as the system does it. */
  readonly resolve?: Resolve;
}

/** An agent that serves. */
export interface RunningAgent {
  readonly agent: Agent;
  readonly kernel: Kernel;
  readonly addresses: readonly string[];
  readonly tokenFile: string;
  readonly secret: string;
  /** Stops accepting, finishes what runs, settles, closes; done within limits.shutdownMs. */
  stop(): Promise<void>;
}

const version = readVersion();

const processClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  bootMs: () => uptime() * 1000,
};

/**
 * What only an agent needs. A command line that asks one does not wait for it: the foreign function layer,
 * SQLite and Fastify take most of a process's start.
 */
async function loadParts() {
  const [kernel, peers, store, agent, machine, webhooks, fleet, metrics, server, listeners] =
    await Promise.all([
      import('./kernel/open-kernel.ts'),
      import('./kernel/proc/peer.ts'),
      import('./store/open-store.ts'),
      import('./agent/create-agent.ts'),
      import('./agent/machine/prepare-machine.ts'),
      import('./agent/webhook/open-webhooks.ts'),
      import('./cluster/open-fleet.ts'),
      import('./metrics/metrics.ts'),
      import('./api/server.ts'),
      import('./api/serve.ts'),
    ]);
  const made = { ...kernel, ...peers, ...store, ...agent, ...machine, ...webhooks, ...fleet };
  return { ...made, ...metrics, ...server, ...listeners };
}

/**
 * The object graph of an agent: kernel, store, agent, metrics, API, listeners, in the order in which they
 * need each other.
 *
 * Recovery is over before anything listens. If a part fails, those before it are let go.
 * @throws PinfoldError, ConfigError and errors of the system; explainStartFailure makes sentences of them
 */
export async function startAgent(config: AgentConfig, surroundings: Surroundings): Promise<RunningAgent> {
  const { log, onStep } = surroundings;
  const closers: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
  };
  try {
    const parts = await loadParts();
    const { openKernel, openStore, createAgent, createMetrics, serve, assertAble, prepareBpffs } = parts;
    const kernel = openKernel();
    closers.push(() => kernel[Symbol.dispose]());
    const clock = surroundings.clock ?? { ...processClock, bootMs: () => kernel.sinceBootMs() };
    assertAble(config, kernel);
    prepareBpffs(config, kernel, log);
    if (config.programStats) {
      const measuring = kernel.programs.holdStatistics();
      closers.push(() => measuring[Symbol.dispose]());
    }

    const { stateDir, node, retentionMs, retentionBytes } = config;
    const { bootId } = kernel.facts;
    const store = openStore({ stateDir, node, bootId, clock, retentionMs, retentionBytes });
    closers.push(() => store.close());
    const tokenFile = join(stateDir, 'admin.token');
    const secret = ensureAdminToken({ store, clock, file: tokenFile });

    const started = createAgent(agentOptionsOf(config, { kernel, store, clock, log, onStep }));
    const { agent } = started;
    closers.push(async () => await started.stop());
    // Recovery is what start does before it first waits: what it refuses is thrown here, before anything
    // listens.
    const observed = started.start();
    await Promise.race([observed, undefined]);

    const webhooks = await startWebhooks(config, agent, { ...surroundings, clock });
    closers.push(async () => await webhooks.stop());
    const naming = { pathOf: mountPath(agent), pinSeriesMax: config.pinSeries.seriesMax };
    const source = { source: webhooks, now: () => clock.now() };
    const metrics = createMetrics({ numbers: agent.statistics, webhooks: source, ...naming, version });
    closers.push(() => metrics[Symbol.dispose]());
    const fleet = await startFleet(config, agent, { clock, log });
    const api = await buildApi(config, { agent, metrics, log, webhooks, clock, fleet });
    const serving = await serve({
      api,
      config,
      tls: readTls(config),
      inheritedFds: surroundings.inheritedFds ?? [],
      groupId: groupIdOf(readText('/etc/group'), socketGroup),
      onLimit: metrics.limitHit,
    });
    closers.push(async () => void (await Promise.all([webhooks.stop(), serving.close()])));
    closers.push(async () => await fleet.stop());
    logRecovery(log, await observed);
    await fleet.join(serving.addresses);
    return { agent, kernel, addresses: serving.addresses, tokenFile, secret, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What an agent is made from, by its configuration. */
function agentOptionsOf(
  { node: name, labels, readOnly, pinsOnly, bpffs, findings, pinSeries, gc }: AgentConfig,
  given: Pick<AgentOptions, 'kernel' | 'store' | 'clock'> & {
    readonly log: Log;
    readonly onStep: OnStep | undefined;
  },
): AgentOptions {
  const { log, onStep, ...parts } = given;
  return {
    ...parts,
    node: { name, labels, version, isReadOnly: readOnly, isPinsOnly: pinsOnly },
    ...{ bpffsPath: bpffs, thresholds: findings, pinSeries, gc },
    ...(onStep === undefined ? {} : { onStep }),
    onFailure: (error) =>
      log.error('an observation failed; the next one tries again', { cause: describeError(error) }),
  };
}

/** Has events sent to those who want them. */
async function startWebhooks(
  config: AgentConfig,
  agent: Agent,
  { log, resolve, clock }: Surroundings & { readonly clock: Clock },
) {
  const { openWebhooks } = await loadParts();
  const { node, webhookAllow: allowed, webhookCa: caFile } = config;
  const ca = caFile === undefined ? undefined : readText(caFile);
  const onFailure = (error: unknown): void =>
    log.error('a webhook could not go on; it tries again', { cause: describeError(error) });
  return openWebhooks({ agent, clock, node, allowed, ca, resolve, onFailure });
}

/** The agent's part in a fleet; where no etcd is given, in one of this machine alone. */
async function startFleet(config: AgentConfig, agent: Agent, tools: Pick<Parts, 'clock' | 'log'>) {
  const { openFleet } = await loadParts();
  const socketPath = join(config.runDir, 'agent.sock');
  return await openFleet({ config, agent, socketPath, tls: readTls(config), ...tools });
}

/** The API over an agent: who may call by the unix socket, where backups go, and all routes. */
async function buildApi(
  config: AgentConfig,
  given: Pick<Parts, 'agent' | 'metrics' | 'log' | 'webhooks' | 'clock'> & { readonly fleet: OpenFleet },
) {
  const { createApi, peerReader } = await loadParts();
  const { users, groups } = config;
  const { agent, clock, fleet } = given;
  return await createApi({
    parts: {
      ...given,
      fleet: fleet.fleet,
      tokens: new CachedTokens(agent.store.tokens, clock),
      streams: new StreamSlots(),
      backupDir: join(config.stateDir, 'backups'),
      openMetrics: config.openMetrics,
    },
    peers: peerReader,
    signatures: fleet.signatures,
    localRoles: createLocalRoles({
      users,
      groups,
      passwd: readText('/etc/passwd'),
      group: readText('/etc/group'),
    }),
    version,
  });
}

function mountPath({ reads }: Agent): (mount: string) => string {
  const { ino: namespace } = statSync('/proc/self/ns/mnt');
  return (mount) =>
    mountLabel(reads.mounts().value.find(({ id }) => id === mount)?.paths ?? [], namespace) ?? mount;
}

function logRecovery(log: Log, report: RecoveryReport): void {
  const found = Object.entries(report).filter(([, operations]) => operations.length > 0);
  if (found.length > 0) log.warn('recovered what a killed agent left half done', Object.fromEntries(found));
}

/** `pinfold agent`: serves until it is told to stop; resolves with the exit code. */
async function runAgent(flags: Settings): Promise<number> {
  let running: RunningAgent;
  let log: Log;
  try {
    const config = readConfig(flags);
    log = createLog({
      level: config.logLevel,
      write: (line) => process.stderr.write(line),
      now: () => processClock.now(),
    });
    running = await startAgent(config, { log, inheritedFds: inheritedFds() });
    greet(running, config);
  } catch (error) {
    const sentence = explainStartFailure(error);
    if (sentence === undefined) throw error;
    process.stderr.write(`pinfold: ${sentence}\n`);
    return error instanceof ConfigError ? 2 : 1;
  }
  const stopNotifying = await notifyManager(running, log);
  return await new Promise((resolve) => {
    closeWithGrace({ delay: limits.shutdownMs, logger: false }, async ({ err }) => {
      if (err !== undefined)
        log.error('the agent ends because of a mistake in it', { cause: describeError(err) });
      stopNotifying();
      await running.stop();
      log.info('stopped');
      resolve(err === undefined ? 0 : 1);
    });
  });
}

function greet({ agent, addresses, tokenFile, secret }: RunningAgent, config: AgentConfig): void {
  const { pins, objects, mounts } = agent.reads.node();
  process.stdout.write(
    greetingText({
      version,
      node: config.node,
      addresses,
      tokenFile,
      pins,
      mounts: mounts.total,
      objects: Object.values(objects).reduce((sum, number) => sum + number, 0),
      secret: process.stdout.isTTY ? secret : undefined,
    }),
  );
}

function readConfig(flags: Settings): AgentConfig {
  const env = parseEnvironment(process.env);
  const path = flags['config'] ?? env['config'];
  const read = typeof path === 'string' ? readConfigFile(path) : { file: undefined };
  return mergeConfig({ flags, env, hostName: hostname(), ...read });
}

/** @throws ConfigError where it is not YAML, naming the line */
function readConfigFile(path: string): { readonly file: unknown; readonly fileMode: number } {
  const text = readText(path);
  try {
    return { file: parseYaml(text, { logLevel: 'error' }), fileMode: statSync(path).mode };
  } catch (error) {
    if (error instanceof YAMLParseError) {
      const [what = ''] = error.message.split(/:?\n/, 1);
      throw new ConfigError(`${path} is not YAML: ${what}.`);
    }
    // What is YAML but has no value, such as an alias of nothing.
    if (error instanceof ReferenceError) throw new ConfigError(`${path} is not YAML: ${error.message}.`);
    throw error;
  }
}

/** Tells the service manager that we are ready and alive (sd_notify(3)); answers how to say that we stop. */
async function notifyManager({ kernel, agent }: RunningAgent, log: Log): Promise<() => void> {
  const { NOTIFY_SOCKET: address, WATCHDOG_USEC: watchdogUs } = process.env;
  if (address === undefined || address === '') return () => undefined;
  const { notify } = await import('./kernel/proc/notify.ts');
  const tell = (state: string): void => {
    try {
      notify(kernel.calls, address, state);
    } catch (error) {
      log.warn('the service manager could not be told', { cause: describeError(error) });
    }
  };
  tell(`READY=1\nSTATUS=Sees ${agent.reads.node().pins} pins.`);
  const everyMs = Number(watchdogUs ?? 0) / 2000;
  const timer = everyMs > 0 ? setInterval(() => tell('WATCHDOG=1'), everyMs) : undefined;
  return () => {
    clearInterval(timer);
    tell('STOPPING=1');
  };
}

/** Descriptors 3 and up that systemd has opened for exactly this process (sd_listen_fds(3)). */
function inheritedFds(): readonly number[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  if (Number(pid) !== process.pid) return [];
  return Array.from({ length: Number(count ?? 0) }, (_, index) => 3 + index);
}

function readTls({ tls }: AgentConfig): TlsTexts | undefined {
  if (tls === undefined) return undefined;
  const ca = tls.clientCa === undefined ? undefined : readText(tls.clientCa);
  return { cert: readText(tls.cert), key: readText(tls.key), ca };
}

/** package.json lies one folder above the sources, and two above what is built from them. */
function readVersion(): string {
  const file = ['../package.json', '../../package.json']
    .map((path) => new URL(path, import.meta.url))
    .find(existsSync);
  const { version: found } = JSON.parse(file === undefined ? '{}' : readFileSync(file, 'utf8'));
  return String(found);
}

function readText(file: string): string {
  return readFileSync(file, 'utf8');
}

/** Runs one command line; resolves with its exit code. */
export async function main(words: readonly string[]): Promise<number> {
  const { stdin, stdout, stderr, env } = process;
  const isTTY = { stdin: stdin.isTTY, stdout: stdout.isTTY, stderr: stderr.isTTY };
  const io = {
    stdin,
    stdout,
    stderr,
    env,
    isTTY,
    columns: stdout.columns ?? 80,
    now: () => processClock.now(),
  };
  return await runCli(words, io, {
    version,
    runAgent,
    initCluster: async (file) => (await import('./cluster/signing/key-file.ts')).writeClusterKey(file),
    inspect: async (places) => await (await loadMachine()).inspect(places),
    leave: async (places, options) => await (await loadMachine()).leave(places, options),
    verifyHistory: async (stateDir) => await (await loadMachine()).verifyHistory(stateDir),
  });
}

/** For the commands that look at this machine without an agent. */
async function loadMachine() {
  const { localMachine } = await import('./agent/machine/local-machine.ts');
  return localMachine(processClock, version);
}

/** bin/pinfold calls main; so does this file when it is run itself. */
if (process.argv[1] === import.meta.filename) process.exitCode = await main(process.argv.slice(2));
