import { uptime } from 'node:os';
import type { Agent } from '../../src/agent/agent.ts';
import { type AgentOptions, createAgent } from '../../src/agent/create-agent.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import type { Clock } from '../../src/model/clock.ts';
import type { EventDocument } from '../../src/model/schema/event.ts';
import type { PinDocument } from '../../src/model/schema/pin.ts';
import type { Store } from '../../src/model/store.ts';
import { openStore } from '../../src/store/open-store.ts';

/** An agent inside this process, on the real kernel and a store of its own. */
export interface TestAgent {
  readonly agent: Agent;
  readonly kernel: Kernel;
  readonly store: Store;
  /** All its events about one instance, oldest first; those of other tests' mounts are left out. */
  eventsOf(mount: string): readonly EventDocument[];
  /** Ends it as SIGTERM does. Its state directory stays. */
  stop(): Promise<void>;
}

/** The time of the machine. */
export const realClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  bootMs: () => uptime() * 1000,
};

/**
 * Starts an agent and waits for its first observation. Stop it in a `finally`, or with `await using`.
 *
 * A pass that fails ends the test's process: nothing may fail unnoticed.
 */
export async function startAgent(
  bpffsPath: string,
  stateDir: string,
  options: Partial<AgentOptions> = {},
): Promise<TestAgent & AsyncDisposable> {
  const kernel = options.kernel ?? openKernel();
  const clock = realClock;
  const retention = { retentionMs: 30 * 24 * 3600 * 1000, retentionBytes: 1024 ** 3 };
  const { bootId } = kernel.facts;
  const store = options.store ?? openStore({ stateDir, node: 'test', bootId, clock, ...retention });
  const node = { name: 'test', labels: {}, version: '0.0.0', isReadOnly: false, isPinsOnly: false };
  const onFailure = (error: unknown): never => {
    throw error;
  };
  const started = createAgent({ kernel, store, clock, node, bpffsPath, onFailure, ...options });
  await started.start();
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    await started.stop();
    store.close();
    kernel[Symbol.dispose]();
  };
  return {
    agent: started.agent,
    kernel,
    store,
    eventsOf: (mount) => store.events.list({ mount, limit: 100_000 }),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** `major:minor` of the file system a device number stands for. */
export function mountId(dev: number): string {
  return `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & ~0xff)}`;
}

/** All pins of the primary instance, by small pages, so that paging is always part of what is tested. */
export function everyPin(agent: Agent): readonly PinDocument[] {
  const pins: PinDocument[] = [];
  let after: string | undefined;
  do {
    const { value } = agent.reads.pins({ mount: undefined }, { after, limit: 333 });
    pins.push(...value.items);
    after = value.next;
  } while (after !== undefined);
  return pins;
}
