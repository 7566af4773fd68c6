import type { Claim, ClaimedPath } from '../model/claim/claim.ts';
import type { Lease } from '../model/claim/lease.ts';
import { parseOwnerBytes } from '../model/claim/owner.ts';
import type { PinnableKind } from '../model/kind.ts';
import { bytesOf, parsePathBytes } from '../model/path.ts';
import type { ClaimRecords } from '../model/store.ts';
import type { Connection, Statement } from './connection.ts';
import { parseTexts } from './json.ts';

interface ClaimRow {
  readonly owner: Uint8Array;
  readonly id: string;
  readonly mount: string | null;
  readonly boot_id: string;
  readonly lease_ms: number | null;
  readonly deadline_boot_id: string | null;
  readonly deadline_ms: number | null;
  readonly labels: string;
  readonly made_at: string;
  readonly renewed_at: string;
  readonly actor: string;
}

interface PinRow {
  readonly owner: Uint8Array;
  readonly path: Uint8Array;
  readonly kind: PinnableKind | null;
  readonly object_id: number | null;
  readonly object_type: string | null;
  readonly object_name: string | null;
  readonly fingerprint: string | null;
}

/** Claims in the tables `claim` and `claim_pin`. They are read once, when an agent starts. */
export class SqliteClaimRecords implements ClaimRecords {
  readonly #connection: Connection;
  readonly #list: Statement<ClaimRow>;
  readonly #listPins: Statement<PinRow>;
  readonly #put: Statement;
  readonly #putPin: Statement;
  readonly #removePins: Statement;
  readonly #renew: Statement;
  readonly #remove: Statement;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#list = connection.prepare('SELECT * FROM claim ORDER BY owner');
    this.#listPins = connection.prepare('SELECT * FROM claim_pin ORDER BY owner, path');
    this.#put = connection.prepare(`
      INSERT OR REPLACE INTO claim (owner, id, mount, boot_id, lease_ms, deadline_boot_id, deadline_ms,
        labels, made_at, renewed_at, actor)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#putPin = connection.prepare(`
      INSERT INTO claim_pin (owner, path, kind, object_id, object_type, object_name, fingerprint)
      VALUES (?, ?, ?, ?, ?, ?, ?)`);
    this.#removePins = connection.prepare('DELETE FROM claim_pin WHERE owner = ?');
    this.#renew = connection.prepare(`
      UPDATE claim SET deadline_boot_id = ?, deadline_ms = ?, renewed_at = ?, actor = ? WHERE owner = ?`);
    this.#remove = connection.prepare('DELETE FROM claim WHERE owner = ?');
  }

  list(): readonly Claim[] {
    const pins = new Map<string, ClaimedPath[]>();
    for (const row of this.#listPins.all()) {
      const owner = Buffer.from(row.owner).toString('latin1');
      const own = pins.get(owner) ?? [];
      pins.set(owner, own);
      own.push(pinOf(row));
    }
    return this.#list.all().map((row) => {
      const owner = parseOwnerBytes(row.owner);
      return claimOf(row, owner, pins.get(owner) ?? []);
    });
  }

  put(claim: Claim): void {
    const owner = bytesOf(claim.owner);
    const { lease } = claim;
    this.#connection.transaction(() => {
      this.#removePins.run(owner);
      this.#put.run(
        owner,
        claim.id,
        claim.mount,
        claim.bootId,
        lease?.leaseMs ?? null,
        lease?.deadline.bootId ?? null,
        lease?.deadline.ms ?? null,
        JSON.stringify(claim.labels),
        claim.madeAt,
        claim.renewedAt,
        claim.actor,
      );
      for (const { path, object } of claim.pins) {
        this.#putPin.run(
          owner,
          bytesOf(path),
          object?.kind ?? null,
          object?.id ?? null,
          object?.type ?? null,
          object?.name ?? null,
          object?.fingerprint ?? null,
        );
      }
    });
  }

  renew({ owner, lease, renewedAt, actor }: Claim): void {
    const { bootId = null, ms = null } = lease?.deadline ?? {};
    this.#renew.run(bootId, ms, renewedAt, actor, bytesOf(owner));
  }

  remove({ owner }: Claim): void {
    this.#remove.run(bytesOf(owner));
  }
}

function claimOf(row: ClaimRow, owner: Claim['owner'], pins: readonly ClaimedPath[]): Claim {
  return {
    owner,
    id: row.id,
    mount: row.mount,
    bootId: row.boot_id,
    pins,
    lease: leaseOf(row),
    labels: parseTexts(row.labels),
    madeAt: row.made_at,
    renewedAt: row.renewed_at,
    actor: row.actor,
  };
}

function leaseOf({ lease_ms: leaseMs, deadline_boot_id: bootId, deadline_ms: ms }: ClaimRow): Lease | null {
  return leaseMs === null || bootId === null || ms === null ? null : { leaseMs, deadline: { bootId, ms } };
}

function pinOf({ path, kind, object_id: id, object_type: type, ...row }: PinRow): ClaimedPath {
  const { object_name: name, fingerprint } = row;
  const isThere = kind !== null && id !== null && type !== null && name !== null && fingerprint !== null;
  return { path: parsePathBytes(path), object: isThere ? { kind, id, type, name, fingerprint } : null };
}
