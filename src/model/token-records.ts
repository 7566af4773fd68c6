import type { Role } from './role.ts';

/** A bearer token; of the secret only its SHA-256 is kept. */
export interface TokenRecord {
  readonly name: string;
  readonly role: Role;
  readonly sha256: Uint8Array;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
  readonly createdBy: string;
}

/** The bearer tokens there are; limits.tokensMax at most. */
export interface TokenRecords {
  /** @throws PinfoldError already_exists, too_many_requests */
  add(record: TokenRecord): void;
  list(): readonly TokenRecord[];
  findBySha256(sha256: Uint8Array): TokenRecord | undefined;
  /** @throws PinfoldError token_not_found */
  remove(name: string): void;
  touch(name: string, at: string): void;
}
