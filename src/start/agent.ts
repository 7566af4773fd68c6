import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent } from '../agent/agent.ts';
import type { AgentOptions } from '../agent/create-agent.ts';
import type { RecoveryReport } from '../agent/recovery/recover.ts';
import type { Resolve } from '../agent/webhook/connect.ts';
import { ensureAdminToken } from '../api/admin-token.ts';
import type { Parts } from '../api/app.ts';
import { createLocalRoles, groupIdOf } from '../api/local-roles.ts';
import { StreamSlots } from '../api/ndjson.ts';
import { CachedTokens } from '../api/token-cache.ts';
import { socketGroup } from '../api/unix-socket.ts';
import type { OpenFleet } from '../cluster/open-fleet.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { mountLabel } from '../metrics/mount-label.ts';
import type { TlsTexts } from '../model/certificates.ts';
import type { Clock } from '../model/clock.ts';
import type { AgentConfig } from '../model/config.ts';
import { describeError, type Log } from '../model/log.ts';
import type { OnStep } from '../model/step.ts';
import type { OpenCertificates } from './certificates.ts';
import { processClock, readText, readVersion } from './process.ts';

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
  /** Looks at once whether the files of certificates were replaced. */
  reload(): void;
  /** Stops accepting, finishes what runs, settles, closes; done within limits.shutdownMs. */
  stop(): Promise<void>;
}

const version = readVersion();

/**
 * What only an agent needs. A command line that asks one does not wait for it: the foreign function layer,
 * SQLite and Fastify take most of a process's start.
 */
async function loadParts() {
  const [kernel, peers, store, agent, machine, webhooks, fleet, identity, metrics, server, listeners, pem] =
    await Promise.all([
      import('../kernel/open-kernel.ts'),
      import('../kernel/proc/peer.ts'),
      import('../store/open-store.ts'),
      import('../agent/create-agent.ts'),
      import('../agent/machine/prepare-machine.ts'),
      import('../agent/webhook/open-webhooks.ts'),
      import('../cluster/open-fleet.ts'),
      import('../cluster/pki/own-identity.ts'),
      import('../metrics/metrics.ts'),
      import('../api/server.ts'),
      import('../api/serve.ts'),
      import('./certificates.ts'),
    ]);
  const made = { ...kernel, ...peers, ...store, ...agent, ...machine, ...webhooks, ...fleet };
  return { ...made, ...identity, ...metrics, ...server, ...listeners, ...pem };
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
    const judge = (texts: TlsTexts): void => parts.assertAgentIdentity(config, texts);
    const certificates = parts.openCertificates(config, judge, { clock, log });
    closers.push(() => certificates[Symbol.dispose]());
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
    const shown = { certificates: certificates.states, version };
    const metrics = createMetrics({ numbers: agent.statistics, webhooks: source, ...naming, ...shown });
    closers.push(() => metrics[Symbol.dispose]());
    const fleet = await startFleet(config, agent, { clock, log, certificates });
    const api = await buildApi(config, { agent, metrics, log, webhooks, clock, fleet });
    const serving = await serve({
      api,
      config,
      socketName: 'agent.sock',
      tls: certificates.tls,
      inheritedFds: surroundings.inheritedFds ?? [],
      peers: parts.peerReader,
      groupId: groupIdOf(readText('/etc/group'), socketGroup),
      onLimit: metrics.limitHit,
    });
    closers.push(async () => void (await Promise.all([webhooks.stop(), serving.close()])));
    closers.push(async () => await fleet.stop());
    logRecovery(log, await observed);
    await fleet.join(serving.addresses);
    const { look: reload } = certificates;
    return { agent, kernel, addresses: serving.addresses, tokenFile, secret, reload, stop };
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
async function startFleet(
  config: AgentConfig,
  agent: Agent,
  tools: Pick<Parts, 'clock' | 'log'> & { readonly certificates: OpenCertificates },
) {
  const { openFleet } = await loadParts();
  const socketPath = join(config.runDir, 'agent.sock');
  return await openFleet({ config, agent, socketPath, ...tools });
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
      fleetTokens: fleet.tokens,
      pinsets: fleet.pinsets,
      idempotency: agent.store.idempotency,
      notReady: () => agent.notReady(),
      tokens: new CachedTokens(agent.store.tokens, clock),
      streams: new StreamSlots(),
      backupDir: join(config.stateDir, 'backups'),
      openMetrics: config.openMetrics,
    },
    peers: peerReader,
    gate: fleet.gate,
    fleetRoleMax: fleet.roleMax,
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
