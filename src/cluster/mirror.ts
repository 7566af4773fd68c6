import type { Clock } from '../model/clock.ts';
import { type ClusterPrefix, parseStoredKey } from '../model/cluster/key.ts';
import type { ClusterEntry, ClusterNews, ClusterStore } from '../model/cluster/store.ts';
import { limits } from '../model/limits.ts';
import type { Log } from '../model/log.ts';
import { Backoff } from './backoff.ts';
import { KeyQuota } from './key-quota.ts';

/** What a mirror needs. */
export interface MirrorOptions {
  readonly store: ClusterStore;
  readonly prefix: ClusterPrefix;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after each change of what is mirrored, with the keys that differ from before. */
  readonly onChange?: (keys: readonly string[]) => void;
  /** Called when what is mirrored is surely not old any more, also where nothing differs from before. */
  readonly onHeard?: () => void;
}

/**
 * All keys below a prefix as they are, for reading without asking the store: listed once, then kept by a
 * watch. Where the store has forgotten what came between it lists anew; while it cannot be reached the
 * mirror keeps what it knew, and says that it may be old.
 */
export class Mirror {
  readonly #options: MirrorOptions;
  readonly #stopping = new AbortController();
  #entries = new Map<string, ClusterEntry>();
  #quota: KeyQuota;
  #revision = 0;
  #trouble: { readonly reason: string; readonly sinceMs: number } | undefined = {
    reason: 'the store has not been read yet',
    sinceMs: Number.NEGATIVE_INFINITY,
  };
  #running: Promise<void> | undefined;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.#quota = this.#newQuota();
  }

  /** What is there, by key, as of `revision`. */
  get entries(): ReadonlyMap<string, ClusterEntry> {
    return this.#entries;
  }

  /** The newest revision that is mirrored; 0 before the first list. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * Why what is mirrored may be old; undefined while the watch is up, and for limits.clusterPatienceMs after
   * it broke: most are made again within a moment.
   */
  get trouble(): string | undefined {
    const { reason, sinceMs = 0 } = this.#trouble ?? {};
    const awayMs = this.#options.clock.monotonicMs() - sinceMs;
    return awayMs >= limits.clusterPatienceMs ? reason : undefined;
  }

  /** Begins. Resolves after the first list, or after the first failure to make one. */
  async start(): Promise<void> {
    let listed: () => void = () => undefined;
    const first = new Promise<void>((resolve) => {
      listed = resolve;
    });
    this.#running = this.#run(listed);
    await first;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(onFirst: () => void): Promise<void> {
    const { signal } = this.#stopping;
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        await this.#list();
        onFirst();
        backoff.reset();
        await this.#watch(signal);
      } catch (error) {
        this.#note(error instanceof Error ? error.message : String(error));
      }
      onFirst();
      await backoff.wait(signal);
    }
  }

  async #list(): Promise<void> {
    const { store, prefix } = this.#options;
    const { value, revision } = await store.list(prefix);
    this.#quota = this.#newQuota();
    const read = value.filter(({ key }) => this.#quota.take(key));
    const fresh = new Map<string, ClusterEntry>(read.map((entry) => [entry.key, entry]));
    const changed = [...new Set([...this.#entries.keys(), ...fresh.keys()])].filter(
      (key) => !isSame(this.#entries.get(key), fresh.get(key)),
    );
    this.#entries = fresh;
    this.#revision = revision;
    const wasAway = this.#trouble !== undefined;
    this.#trouble = undefined;
    if (changed.length > 0) this.#options.onChange?.(changed);
    if (wasAway) this.#options.onHeard?.();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { store, prefix } = this.#options;
    for await (const news of store.watch(prefix, this.#revision + 1, signal)) {
      if (news.type === 'compacted') return;
      this.#take(news);
    }
  }

  #take(news: Exclude<ClusterNews, { type: 'compacted' }>): void {
    if (news.type === 'connected') {
      if (this.#trouble === undefined) return;
      this.#trouble = undefined;
      this.#options.onHeard?.();
    } else if (news.type === 'disconnected') this.#note(news.reason);
    else {
      for (const event of news.events) {
        if (event.type === 'put') this.#put(event.entry);
        else if (this.#entries.delete(event.key)) this.#quota.release(event.key);
      }
      this.#revision = news.revision;
      this.#options.onChange?.(
        news.events.map((event) => parseStoredKey(event.type === 'put' ? event.entry.key : event.key)),
      );
    }
  }

  #newQuota(): KeyQuota {
    return new KeyQuota((owner) => {
      const most = limits.clusterKeysOfNodeMax;
      this.#options.log.warn('this has so many keys in the cluster store that no more are read', {
        owner,
        most,
      });
    });
  }

  #put(entry: ClusterEntry): void {
    if (this.#entries.has(entry.key) || this.#quota.take(entry.key)) this.#entries.set(entry.key, entry);
  }

  #note(reason: string): void {
    const { clock, log } = this.#options;
    if (this.#trouble === undefined) log.warn('the watch of the cluster store broke', { cause: reason });
    this.#trouble = { reason, sinceMs: this.#trouble?.sinceMs ?? clock.monotonicMs() };
  }
}

/** A store that was restored may have another text under the same revision. */
function isSame(one: ClusterEntry | undefined, other: ClusterEntry | undefined): boolean {
  return one?.modRevision === other?.modRevision && one?.value === other?.value;
}
