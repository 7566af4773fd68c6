import type { Clock } from '../../model/clock.ts';
import { parseFleetToken } from '../../model/cluster/documents.ts';
import { type ClusterKey, clusterKey, clusterPrefix, parseClusterName } from '../../model/cluster/key.ts';
import type { ClusterStore } from '../../model/cluster/store.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { Log } from '../../model/log.ts';
import type { FleetTokenDocument } from '../../model/schema/fleet-token.ts';
import type { TokenRecord } from '../../model/store.ts';
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
  readonly #own = new Map<ClusterKey, OwnChange>();

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
   * Good here at once, at other managers as soon as they hear of it.
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
    const { succeeded, revision } = await this.#store.txn({ conditions: [{ key, modRevision: 0 }], changes });
    if (!succeeded)
      throw new PinfoldError('already_exists', { detail: `The fleet has a token ${record.name} already.` });
    this.#know(key, { revision, record });
  }

  /**
   * Refused here from now on, at other managers as soon as they hear of it.
   *
   * @throws PinfoldError token_not_found, conflict, cluster_unavailable
   */
  async remove(name: string): Promise<void> {
    const key = keyOf(name);
    const { value: known } = await this.#store.get(key);
    if (known === undefined)
      throw new PinfoldError('token_not_found', { detail: 'The fleet has no token of this name.' });
    const conditions = [{ key, modRevision: known.modRevision }];
    const { succeeded, revision } = await this.#store.txn({ conditions, changes: [{ delete: key }] });
    if (!succeeded)
      throw new PinfoldError('conflict', { detail: 'The token was changed at this moment: look again.' });
    this.#know(key, { revision, record: undefined });
  }

  #know(key: ClusterKey, change: OwnChange): void {
    this.#own.set(key, change);
    this.#take();
  }

  #take(): void {
    const before = this.#byHash;
    const records = new Map<ClusterKey, TokenRecord>();
    for (const { key, value } of this.#mirror.entries.values()) {
      const document = parseFleetToken(value);
      if (document !== undefined) records.set(key, recordOf(nameOf(key), document));
    }
    for (const [key, { revision, record }] of this.#own) {
      if (this.#mirror.revision >= revision) this.#own.delete(key);
      else if (record === undefined) records.delete(key);
      else records.set(key, record);
    }
    this.#byHash = new Map(
      [...records.values()].map((record) => {
        const hash = Buffer.from(record.sha256).toString('base64url');
        const known = before.get(hash);
        return [hash, known !== undefined && isSame(known, record) ? known : record];
      }),
    );
  }
}

/** What this manager did itself, until the watch tells of it; without a record, the token is gone. */
interface OwnChange {
  readonly revision: number;
  readonly record: TokenRecord | undefined;
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
