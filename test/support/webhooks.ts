import { Slots } from '../../src/agent/webhook/slots.ts';
import { Webhooks } from '../../src/agent/webhook/webhooks.ts';
import type { Clock } from '../../src/model/clock.ts';
import { limits } from '../../src/model/limits.ts';
import type { NewEvent } from '../../src/model/schema/event.ts';
import type { Store } from '../../src/model/store.ts';
import { parseRange } from '../../src/model/webhook/address.ts';
import { eventOf, openTestStore } from './store.ts';
import { tempDir } from './temp-dir.ts';

/** A clock that only a test moves; both hands stand still by themselves. */
export interface HandClock extends Clock {
  /** Time passes. */
  pass(ms: number): void;
  /** Somebody sets the clock of the day. */
  jump(ms: number): void;
}

/** Makes one that shows the time of now. */
export function handClock(): HandClock {
  let ms = 1_000_000;
  let day = Date.now();
  return {
    now: () => new Date(day),
    monotonicMs: () => ms,
    bootMs: () => ms,
    pass: (by) => {
      ms += by;
      day += by;
    },
    jump: (by) => {
      day += by;
    },
  };
}

/** Webhooks on a real store, without an agent around them. */
export interface WebhookBench extends AsyncDisposable {
  readonly webhooks: Webhooks;
  readonly store: Store;
  readonly stateDir: string;
  /** What could not be read or written. */
  readonly failures: readonly unknown[];
  /** Writes events to the log, as the agent does, and tells the webhooks. */
  append(...events: readonly Partial<NewEvent>[]): readonly number[];
  /** Stops, and starts anew on the same store file. */
  restart(): Promise<WebhookBench>;
}

/** Who changes webhooks in tests. */
export const byTest = { actor: 'api:test', ifMatch: undefined, createOnly: false } as const;

/** What a test sets. */
export interface WebhookBenchOptions {
  readonly clock?: Clock;
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  readonly allowed?: readonly string[];
  readonly ca?: readonly string[];
  readonly stateDir?: string;
}

/** Opens one; names lead nowhere and only loopback is allowed, unless told. */
export function webhookBench(options: WebhookBenchOptions = {}): WebhookBench {
  const { clock = realClock, allowed = ['127.0.0.0/8'] } = options;
  const dir = options.stateDir === undefined ? tempDir('webhooks') : undefined;
  const stateDir = options.stateDir ?? dir?.path ?? '';
  const store = openTestStore(stateDir, { clock });
  const failures: unknown[] = [];
  const webhooks = new Webhooks({
    store,
    clock,
    origin: { node: 'node-1', history: 'b3c1' },
    sends: new Slots(limits.webhookSendsMax),
    reads: new Slots(limits.webhookReadsMax),
    random: () => 0.5,
    reach: {
      resolve: options.resolve ?? (async () => []),
      allowed: allowed.flatMap((text) => parseRange(text) ?? []),
      ca: options.ca,
      lookups: new Slots(limits.webhookLookupsMax),
    },
    announce: () => webhooks.wake(),
    onFailure: (error) => failures.push(error),
  });
  const stop = async (): Promise<void> => {
    await webhooks.stop();
    store.close();
  };
  return {
    webhooks,
    store,
    stateDir,
    failures,
    append: (...events) => {
      const written = store.events.append(events.map((event) => eventOf(event)));
      webhooks.wake();
      return written.map(({ seq }) => seq);
    },
    restart: async () => {
      await stop();
      const next = webhookBench({ ...options, stateDir });
      return { ...next, [Symbol.asyncDispose]: async () => void (await closeAll(next, dir)) };
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      dir?.[Symbol.dispose]();
    },
  };
}

async function closeAll(bench: WebhookBench, dir: Disposable | undefined): Promise<void> {
  await bench[Symbol.asyncDispose]();
  dir?.[Symbol.dispose]();
}

const realClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  bootMs: () => performance.now(),
};
