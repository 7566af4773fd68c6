import type { Clock } from '../../model/clock.ts';
import { parseFleetToken } from '../../model/cluster/documents.ts';
import { type ClusterKey, clusterKey, clusterPrefix, parseClusterName } from '../../model/cluster/key.ts';
import type { ClusterStore, ClusterTransaction } from '../../model/cluster/store.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { Log } from '../../model/log.ts';
import type { FleetTokenDocument } from '../../model/schema/fleet-token.ts';
import type { TokenRecord } from '../../model/store.ts';
import { pause } from '../backoff.ts';
import { Mirror } from '../mirror.ts';

/**
 * The tokens of the fleet's callers: in the cluster store, so that each is good at every manager, and revoked
 * at all of them as soon as they hear of it.
 *
 * Of a secret only the SHA-256 is kept. A manager that is cut off from the store goes on with what it knew:
 * in an outage callers must be able to look, and it says elsewhere that it may know old things.
 */
export class FleetTokens {
  readonly #store: ClusterStore;
  readonly #mirror: Mirror;
  #byHash = new Map<string, TokenRecord>();
  /** Ends the waiting of those who want to see their own change. */
  #changed = new AbortController();

  constructor(parts: { readonly store: ClusterStore; readonly clock: Clock; readonly log: Log }) {
    this.#store = parts.store;
    this.#mirror = new Mirror({ ...parts, prefix: clusterPrefix('tokens'), onChange: () => this.#take() });
  }

  async start(): Promise<void> {
    await this.#mirror.start();
  }

  async stop(): Promise<void> {
    await this.#mirror.stop();
  }

  /** Whose secret has this hash; the same object until the token changes. */
  findBySha256(sha256: Uint8Array): TokenRecord | undefined {
    return this.#byHash.get(Buffer.from(sha256).toString('base64url'));
  }

  /** All of them, by name. */
  list(): readonly TokenRecord[] {
    return [...this.#byHash.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /**
   * Resolves once this manager knows it.
   *
   * @throws PinfoldError already_exists, too_many_requests, cluster_unavailable
   */
  async add(record: TokenRecord): Promise<void> {
    if (this.#mirror.entries.size >= limits.tokensMax) {
      const detail = `There are ${limits.tokensMax} tokens of the fleet already; revoke one first.`;
      throw new PinfoldError('too_many_requests', { detail });
    }
    const key = keyOf(record.name);
    const changes = [{ put: key, value: JSON.stringify(documentOf(record)) }];
    const { succeeded } = await this.#change({ conditions: [{ key, modRevision: 0 }], changes });
    if (succeeded) return;
    throw new PinfoldError('already_exists', { detail: `The fleet has a token ${record.name} already.` });
  }

  /**
   * Resolves once this manager no longer takes it.
   *
   * @throws PinfoldError token_not_found, conflict, cluster_unavailable
   */
  async remove(name: string): Promise<void> {
    const key = keyOf(name);
    const { value: known } = await this.#store.get(key);
    if (known === undefined)
      throw new PinfoldError('token_not_found', { detail: 'The fleet has no token of this name.' });
    const conditions = [{ key, modRevision: known.modRevision }];
    const { succeeded } = await this.#change({ conditions, changes: [{ delete: key }] });
    if (succeeded) return;
    throw new PinfoldError('conflict', { detail: 'The token was changed at this moment: look again.' });
  }

  /** Carries it out, and waits until the mirror has it, or for as long as a call may take. */
  async #change(transaction: ClusterTransaction): Promise<{ readonly succeeded: boolean }> {
    const { succeeded, revision } = await this.#store.txn(transaction);
    const late = AbortSignal.timeout(limits.clusterCallMs);
    while (succeeded && this.#mirror.revision < revision && !late.aborted) {
      await pause(limits.clusterCallMs, AbortSignal.any([this.#changed.signal, late]));
    }
    return { succeeded };
  }

  #take(): void {
    const before = this.#byHash;
    const records = [...this.#mirror.entries.values()].flatMap(({ key, value }) => {
      const document = parseFleetToken(value);
      return document === undefined ? [] : [recordOf(nameOf(key), document)];
    });
    this.#byHash = new Map(
      records.map((record) => {
        const hash = Buffer.from(record.sha256).toString('base64url');
        const known = before.get(hash);
        return [hash, known !== undefined && isSame(known, record) ? known : record];
      }),
    );
    this.#changed.abort();
    this.#changed = new AbortController();
  }
}

function keyOf(name: string): ClusterKey {
  return clusterKey('tokens', parseClusterName(name, 'token'));
}

function nameOf(key: ClusterKey): string {
  return key.slice(clusterPrefix('tokens').length);
}

function documentOf({ role, sha256, createdAt, expiresAt, createdBy }: TokenRecord): FleetTokenDocument {
  return {
    role,
    sha256: Buffer.from(sha256).toString('base64url'),
    created_at: createdAt,
    expires_at: expiresAt,
    created_by: createdBy.slice(0, 300),
  };
}

function recordOf(name: string, document: FleetTokenDocument): TokenRecord {
  const { role, sha256, created_at, expires_at, created_by } = document;
  return {
    name,
    role,
    sha256: Buffer.from(sha256, 'base64url'),
    createdAt: created_at,
    expiresAt: expires_at,
    lastUsedAt: null,
    createdBy: created_by,
  };
}

function isSame(one: TokenRecord, other: TokenRecord): boolean {
  return JSON.stringify(documentOf(one)) === JSON.stringify(documentOf(other)) && one.name === other.name;
}
