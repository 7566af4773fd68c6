import closeWithGrace from 'close-with-grace';
import { growByHalf } from '../agent/observer/heap.ts';
import { greetingText, managerGreeting } from '../api/greeting.ts';
import { explainStartFailure } from '../api/start-failure.ts';
import type { Calls } from '../kernel/sys/calls.ts';
import { type AgentConfig, ConfigError, mergeConfig, type Settings } from '../model/config.ts';
import { limits } from '../model/limits.ts';
import { createLog, describeError, type Log, type LogLevel } from '../model/log.ts';
import { mergeManagerConfig } from '../model/manager-config.ts';
import { type RunningAgent, startAgent } from './agent.ts';
import { type Environment, readSources } from './configuration.ts';
import { startManager } from './manager.ts';
import { processClock, readVersion } from './process.ts';

/** What serves, and how whoever has started it is told. */
interface Running {
  /** What stopping is called in the log. */
  readonly noun: string;
  /** Says that it serves; answers how to say that it stops. */
  readonly tell: () => Promise<() => void>;
  /** What SIGHUP asks for. */
  reload(): void;
  stop(): Promise<void>;
}

/** What serves, and its log. */
interface Begun {
  readonly log: Log;
  readonly running: Running;
}

/** `pinfold agent`: serves until it is told to stop; resolves with the exit code. */
export async function runAgent(flags: Settings, environment: Environment): Promise<number> {
  growByHalf();
  return await runUntilTold(async () => {
    const config = mergeConfig(readSources(flags, environment));
    const log = openLog(config.logLevel);
    const running = await startAgent(config, { log, inheritedFds: inheritedFds(environment) });
    greet(running, config);
    const { agent, kernel, reload, stop } = running;
    const tell = async () => {
      const status = `Sees ${agent.reads.node().pins} pins.`;
      return await notifyManager({ openCalls: () => kernel.calls, status, log }, environment);
    };
    return { log, running: { noun: 'the agent', tell, reload, stop } };
  });
}

/** `pinfold manager`: the same of a manager by itself. */
export async function runManager(flags: Settings, environment: Environment): Promise<number> {
  growByHalf();
  return await runUntilTold(async () => {
    const config = mergeManagerConfig(readSources(flags, environment));
    const log = openLog(config.logLevel);
    const inherited = inheritedFds(environment);
    const { fleet, addresses, reload, stop } = await startManager(config, { log, inheritedFds: inherited });
    const nodes = fleet.nodes([]).length;
    const told = { version: readVersion(), name: config.name, addresses, nodes, trouble: fleet.trouble };
    process.stdout.write(managerGreeting(told));
    const tell = async () =>
      await notifyManager({ openCalls, status: `Knows ${nodes} nodes.`, log }, environment);
    return { log, running: { noun: 'the manager', tell, reload, stop } };
  });
}

/**
 * Starts, serves until a signal or a mistake, and stops; resolves with the exit code.
 *
 * Signals are listened to from the beginning: the first process of a pid namespace is not ended by one that
 * nobody listens to (signal(7)), and whoever stops a container as it starts would wait for it.
 */
async function runUntilTold(begin: () => Promise<Begun>): Promise<number> {
  const serving = begin().then(async (begun) => ({ ...begun, stopNotifying: await begun.running.tell() }));
  // Of a terminal that is closed SIGHUP tells that nobody looks on any more: that ends a process.
  const isAttended = process.stdin.isTTY === true;
  const reload = () => void serving.then(({ running }) => running.reload()).catch(() => undefined);
  if (!isAttended) process.on('SIGHUP', reload);
  const skip = isAttended ? [] : ['SIGHUP' as const];
  return await new Promise((resolve, reject) => {
    const ending = closeWithGrace({ delay: limits.shutdownMs, logger: false, skip }, async ({ err }) => {
      const { log, running, stopNotifying } = await serving;
      if (err !== undefined)
        log.error(`${running.noun} ends because of a mistake in it`, { cause: describeError(err) });
      stopNotifying();
      await running.stop();
      log.info('stopped');
      resolve(err === undefined ? 0 : 1);
    });
    serving.catch((error: unknown) => {
      ending.uninstall();
      const sentence = explainStartFailure(error);
      if (sentence === undefined) return reject(error);
      process.stderr.write(`pinfold: ${sentence}\n`);
      resolve(error instanceof ConfigError ? 2 : 1);
    });
  });
}

function openLog(level: LogLevel): Log {
  const write = (line: string): void => void process.stderr.write(line);
  return createLog({ level, write, now: () => processClock.now() });
}

function greet({ agent, addresses, tokenFile, secret }: RunningAgent, config: AgentConfig): void {
  const { pins, objects, mounts } = agent.reads.node();
  process.stdout.write(
    greetingText({
      version: readVersion(),
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

/** System calls of a process that has no kernel to look at. */
async function openCalls(): Promise<Calls> {
  const [calls, fds] = await Promise.all([import('../kernel/sys/calls.ts'), import('../kernel/sys/fd.ts')]);
  return new calls.Calls(new fds.FdTable());
}

/** What a service manager is told, and how. */
interface Notice {
  /** Asked for only where somebody wants to be told. */
  readonly openCalls: () => Calls | Promise<Calls>;
  readonly status: string;
  readonly log: Log;
}

/** Tells the service manager that we are ready and alive (sd_notify(3)); answers how to say that we stop. */
async function notifyManager(
  { openCalls: open, status, log }: Notice,
  environment: Environment,
): Promise<() => void> {
  const { NOTIFY_SOCKET: address = '', WATCHDOG_USEC: watchdogUs } = environment;
  if (address === '') return () => undefined;
  const [calls, { notify }] = await Promise.all([open(), import('../kernel/proc/notify.ts')]);
  const tell = (state: string): void => {
    try {
      notify(calls, address, state);
    } catch (error) {
      log.warn('the service manager could not be told', { cause: describeError(error) });
    }
  };
  tell(`READY=1\nSTATUS=${status}`);
  const everyMs = Number(watchdogUs ?? 0) / 2000;
  const timer = everyMs > 0 ? setInterval(() => tell('WATCHDOG=1'), everyMs) : undefined;
  return () => {
    clearInterval(timer);
    tell('STOPPING=1');
  };
}

/** Descriptors 3 and up that systemd has opened for exactly this process (sd_listen_fds(3)). */
function inheritedFds({ LISTEN_PID: pid, LISTEN_FDS: count }: Environment): readonly number[] {
  if (Number(pid) !== process.pid) return [];
  return Array.from({ length: Number(count ?? 0) }, (_, index) => 3 + index);
}
