import type { Clock } from '../../model/clock.ts';
import { parseDigest, parseMember } from '../../model/cluster/documents.ts';
import { clusterKey, clusterPrefix, namesOfKey, parseClusterName } from '../../model/cluster/key.ts';
import { isSelected, type Selector } from '../../model/cluster/selector.ts';
import type { ClusterEntry, ClusterStore } from '../../model/cluster/store.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { Log } from '../../model/log.ts';
import type { DigestDocument, FleetNode, MemberDocument } from '../../model/schema/cluster.ts';
import { Mirror } from '../mirror.ts';

/** What this manager knows of one node: times are its own. */
interface Known {
  member: MemberDocument | undefined;
  digest: DigestDocument | undefined;
  isThere: boolean;
  since: Date;
  /** The same moment by the clock that nobody sets: what `gone` is told by. */
  sinceMs: number;
  lastSeen: Date | undefined;
}

/** Called with the keys below `nodes/` that differ from before. */
type Listener = (keys: readonly string[]) => void;

/**
 * The nodes of the fleet as the store tells them, with times by this manager's clock: a node's own clock may
 * be wrong, and a lease says only that the store heard of it.
 */
export class NodeDirectory {
  readonly #clock: Clock;
  readonly #store: ClusterStore;
  readonly #mirror: Mirror;
  readonly #known = new Map<string, Known>();
  readonly #listeners: Listener[] = [];

  constructor(parts: { readonly store: ClusterStore; readonly clock: Clock; readonly log: Log }) {
    this.#clock = parts.clock;
    this.#store = parts.store;
    this.#mirror = new Mirror({
      store: parts.store,
      prefix: clusterPrefix('nodes'),
      clock: parts.clock,
      log: parts.log,
      onChange: (keys) => this.#take(keys),
    });
  }

  /** Why what is known may be old; undefined while the store is being watched. */
  get trouble(): string | undefined {
    return this.#mirror.trouble;
  }

  async start(): Promise<void> {
    await this.#mirror.start();
  }

  async stop(): Promise<void> {
    await this.#mirror.stop();
  }

  /** Has somebody told of all changes, and begins with what is there: nodes write more than who they are. */
  follow(listener: Listener): void {
    this.#listeners.push(listener);
    listener([...this.#mirror.entries.keys()]);
  }

  /** What is at a key below `nodes/`. */
  entry(key: string): ClusterEntry | undefined {
    return this.#mirror.entries.get(key);
  }

  /** Whether a node of this name has joined and was not forgotten. */
  has(name: string): boolean {
    return this.#known.has(name);
  }

  /** All nodes that meet a selector, by name. */
  list(selector: Selector = []): readonly FleetNode[] {
    return [...this.#known.keys()]
      .sort()
      .map((name) => this.get(name))
      .filter(({ labels }) => isSelected(labels, selector));
  }

  /** @throws PinfoldError node_not_found */
  get(name: string): FleetNode {
    const known = this.#known.get(name);
    if (known === undefined)
      throw new PinfoldError('node_not_found', {
        detail: 'No node of this name has ever joined this fleet.',
      });
    return this.#document(name, known);
  }

  /**
   * Forgets a node that is not there any more.
   *
   * @throws PinfoldError node_not_found, conflict while it is there, cluster_unavailable
   */
  async forget(name: string): Promise<void> {
    this.get(name);
    const member = clusterKey('nodes', parseClusterName(name), 'member');
    if (this.#mirror.entries.has(member)) {
      throw new PinfoldError('conflict', {
        detail: 'The node is there: end its agent first, then forget it.',
      });
    }
    const keys = [...this.#mirror.entries.values()].filter(({ key }) => namesOfKey(key)?.[1] === name);
    // One that was interrupted is still known, and can be forgotten again: the digest goes last.
    const inOrder = keys.sort((one, other) => Number(isDigest(one)) - Number(isDigest(other)));
    const atOnce = limits.clusterTxnOperationsMax - 1;
    for (let at = 0; at < inOrder.length; at += atOnce) {
      const part = inOrder.slice(at, at + atOnce);
      const isAway = { key: member, modRevision: 0 };
      const { succeeded } = await this.#store.txn({
        conditions: [isAway, ...part.map(({ key, modRevision }) => ({ key, modRevision }))],
        changes: part.map(({ key }) => ({ delete: key })),
      });
      if (!succeeded)
        throw new PinfoldError('conflict', { detail: 'The node has just said something: look again.' });
    }
  }

  #document(name: string, { member, digest, isThere, since, sinceMs, lastSeen }: Known): FleetNode {
    const now = this.#clock.now();
    const trouble = this.#mirror.trouble;
    const awayMs = this.#clock.bootMs() - sinceMs;
    const isReady = isThere && trouble === undefined;
    const state = isReady ? 'ready' : isThere || awayMs < limits.nodeGoneMs ? 'stale' : 'gone';
    const reason = isThere ? trouble : 'it does not renew its lease';
    const {
      labels = digest?.labels ?? {},
      address,
      version,
      boot_id,
      sees_all_processes,
      started_at,
    } = member ?? {};
    return {
      name,
      state,
      since: since.toISOString(),
      ...(reason === undefined ? {} : { reason }),
      last_seen: (isReady ? now : lastSeen)?.toISOString() ?? null,
      ...(address === undefined ? {} : { address }),
      labels,
      ...(version === undefined ? {} : { version }),
      ...(boot_id === undefined ? {} : { boot_id }),
      ...(sees_all_processes === undefined ? {} : { sees_all_processes }),
      ...(started_at === undefined ? {} : { started_at }),
      digest: digest === undefined ? null : shortDigest(digest),
    };
  }

  #take(keys: readonly string[]): void {
    const names = new Set<string>();
    for (const key of keys) {
      const [, name, what] = namesOfKey(key) ?? [];
      if (name !== undefined && what !== 'status') names.add(name);
    }
    for (const name of names) this.#takeNode(name);
    for (const listener of this.#listeners) listener(keys);
  }

  #takeNode(name: string): void {
    const memberText = this.#textOf(name, 'member');
    const digestText = this.#textOf(name, 'digest');
    const before = this.#known.get(name);
    if (memberText === undefined && digestText === undefined) {
      this.#known.delete(name);
      return;
    }
    const member = memberText === undefined ? undefined : parseMember(memberText);
    const isThere = member !== undefined;
    const now = this.#clock.now();
    const isSame = before !== undefined && before.isThere === isThere;
    this.#known.set(name, {
      // What was known of a node that went is still true of what it was.
      member: member ?? before?.member,
      digest: digestText === undefined ? undefined : parseDigest(digestText),
      isThere,
      ...(isSame
        ? { since: before.since, sinceMs: before.sinceMs }
        : { since: now, sinceMs: this.#clock.bootMs() }),
      lastSeen: isThere || before?.isThere === true ? now : before?.lastSeen,
    });
  }

  #textOf(name: string, what: 'member' | 'digest'): string | undefined {
    return this.#mirror.entries.get(`${clusterPrefix('nodes')}${name}/${what}`)?.value;
  }
}

function isDigest({ key }: ClusterEntry): boolean {
  return namesOfKey(key)?.[2] === 'digest';
}

function shortDigest({ observed_at, pins, objects, findings, hash }: DigestDocument): FleetNode['digest'] {
  return { observed_at, pins, objects, findings, hash };
}
