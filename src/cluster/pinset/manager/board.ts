import type { Clock } from '../../../model/clock.ts';
import {
  type ClusterName,
  clusterKey,
  clusterPrefix,
  isClusterName,
  namesOfKey,
} from '../../../model/cluster/key.ts';
import { parseDesired, parseRollout, parseStatus } from '../../../model/cluster/pinset/documents.ts';
import type { RolloutNode } from '../../../model/cluster/pinset/standing.ts';
import type { ClusterEntry, ClusterStore } from '../../../model/cluster/store.ts';
import type { Log } from '../../../model/log.ts';
import type { DesiredDocument, PinSetStatus, RolloutDocument } from '../../../model/schema/pinset.ts';
import { pause } from '../../backoff.ts';
import type { NodeDirectory } from '../../membership/nodes.ts';
import { Mirror } from '../../mirror.ts';

/** A document of the store, and the revision that a transaction compares. */
export interface Stored<Document> {
  /** Undefined for what is no such document. */
  readonly document: Document | undefined;
  readonly modRevision: number;
}

/** How long a writer waits for its own change to come back by the watch, and how often it looks. */
const seenPatienceMs = 1000;
const lookEveryMs = 5;

/** What a board is kept with. */
export interface BoardParts {
  readonly store: ClusterStore;
  readonly directory: NodeDirectory;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after each change of anything that is on it. */
  readonly onChange: () => void;
}

/** All that the store tells of pin sets, in memory: what is wanted, who may go to it, what nodes came to. */
export class PinSetBoard {
  readonly #directory: NodeDirectory;
  readonly #onChange: () => void;
  readonly #mirrors: readonly [desired: Mirror, rollouts: Mirror];
  readonly #desired = new Map<string, Stored<DesiredDocument>>();
  readonly #rollouts = new Map<string, Stored<RolloutDocument>>();
  /** By pin set, then by node. */
  readonly #statuses = new Map<string, Map<string, PinSetStatus>>();

  constructor({ store, directory, clock, log, onChange }: BoardParts) {
    this.#directory = directory;
    this.#onChange = onChange;
    const mirrorOf = (
      first: string,
      take: (name: string, entry: ClusterEntry | undefined) => void,
    ): Mirror => {
      const mirror: Mirror = new Mirror({
        ...{ store, clock, log, prefix: clusterPrefix(first) },
        onChange: (keys) => {
          for (const key of keys) take(namesOfKey(key)?.[1] ?? '', mirror.entries.get(key));
          onChange();
        },
      });
      return mirror;
    };
    this.#mirrors = [
      mirrorOf('desired', (name, entry) => keep(this.#desired, name, entry, parseDesired)),
      mirrorOf('rollout', (name, entry) => keep(this.#rollouts, name, entry, parseRollout)),
    ];
  }

  /** Why what is on it may be old, or is not there yet; undefined while the store is being watched. */
  get trouble(): string | undefined {
    const [desired, rollouts] = this.#mirrors;
    return this.#directory.trouble ?? desired.trouble ?? rollouts.trouble;
  }

  /** Begins; the directory is begun by whoever has made it. */
  async start(): Promise<void> {
    this.#directory.follow((keys) => {
      for (const key of keys) this.#takeStatus(key);
      this.#onChange();
    });
    await Promise.all(this.#mirrors.map((mirror) => mirror.start()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#mirrors.map((mirror) => mirror.stop()));
  }

  /** All pin sets that somebody has ever wanted, by name; those that were deleted, too. */
  names(): readonly ClusterName[] {
    return [...this.#desired.keys()].filter(isClusterName).sort();
  }

  /**
   * Resolves when what was just written is on the board, so that who wrote it also sees it in lists; or after
   * a moment: it is written all the same.
   */
  async untilSeen(name: ClusterName, revision: number): Promise<void> {
    const { signal } = new AbortController();
    for (let left = seenPatienceMs; left > 0; left -= lookEveryMs) {
      if ((this.#desired.get(name)?.modRevision ?? 0) >= revision) return;
      await pause(lookEveryMs, signal);
    }
  }

  desired(name: ClusterName): Stored<DesiredDocument> | undefined {
    return this.#desired.get(name);
  }

  rollout(name: ClusterName): Stored<RolloutDocument> | undefined {
    return this.#rollouts.get(name);
  }

  /** All nodes of the fleet, with what each says of this pin set. */
  nodes(name: ClusterName): readonly RolloutNode[] {
    const statuses = this.#statuses.get(name);
    return this.#directory.list().map(({ name: node, labels, state }) => ({
      ...{ name: node, labels, state },
      status: statuses?.get(node),
    }));
  }

  /** What nodes say of a pin set, by node, whether they are known otherwise or not. */
  statuses(name: ClusterName): ReadonlyMap<string, PinSetStatus> {
    return this.#statuses.get(name) ?? new Map();
  }

  /** All pin sets that nodes say something of. */
  toldOf(): readonly ClusterName[] {
    return [...this.#statuses.keys()].filter(isClusterName).sort();
  }

  #takeStatus(key: string): void {
    const [, node, what, set] = namesOfKey(key) ?? [];
    if (node === undefined || what !== 'status' || set === undefined) return;
    const entry = this.#directory.entry(key);
    const status = entry === undefined ? undefined : parseStatus(entry.value);
    const ofSet = this.#statuses.get(set) ?? new Map<string, PinSetStatus>();
    if (status === undefined) ofSet.delete(node);
    else ofSet.set(node, status);
    if (ofSet.size === 0) this.#statuses.delete(set);
    else this.#statuses.set(set, ofSet);
  }
}

/** Where a pin set is wanted. */
export function desiredKey(name: ClusterName) {
  return clusterKey('desired', name);
}

/** Where it is said who may go to it. */
export function rolloutKey(name: ClusterName) {
  return clusterKey('rollout', name);
}

function keep<Document>(
  all: Map<string, Stored<Document>>,
  name: string,
  entry: ClusterEntry | undefined,
  parse: (text: string) => Document | undefined,
): void {
  if (entry === undefined) all.delete(name);
  else all.set(name, { document: parse(entry.value), modRevision: entry.modRevision });
}
