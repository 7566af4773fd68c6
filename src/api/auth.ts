import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { ArrivedRequest } from '../cluster/signing/gate.ts';
import type { Vouched } from '../cluster/signing/verifier.ts';
import type { Clock } from '../model/clock.ts';
import { PinfoldError } from '../model/error.ts';
import type { Peer } from '../model/peer.ts';
import { type Caller, mayAct, type Role } from '../model/role.ts';
import type { TokenRecord, TokenRecords } from '../model/store.ts';
import type { Connections } from './connection.ts';

/** What a route asks of its caller: a role, or nothing at all. */
export type RouteRole = Role | 'open';

/** Roles of local users and groups by number; root needs no entry. */
export interface LocalRoles {
  roleOf(peer: Peer): Role | undefined;
}

/** Knows requests in which a manager speaks for one of its callers (src/cluster/signing). */
export interface Gate {
  /** Undefined for a request that speaks for nobody else. @throws PinfoldError unauthenticated, forbidden */
  verify(request: ArrivedRequest): Vouched | undefined;
}

/** Whoever may call without credentials, for routes that are open. */
export const nobody: Caller = { actor: 'unknown', role: 'viewer' };

const touchIntervalMs = 60_000;

/**
 * Finds out who calls and whether they may.
 *
 * A bearer token, where one is sent, decides alone; otherwise a unix socket's peer does. Of tokens only the
 * SHA-256 is known, and the database is asked each time, so that a revoked one is refused at once.
 */
export class Authenticator {
  readonly #tokens: TokenRecords | undefined;
  readonly #fleet: Pick<TokenRecords, 'findBySha256'> | undefined;
  readonly #fleetRoleMax: Role;
  readonly #clock: Clock;
  readonly #local: LocalRoles;
  readonly #connections: Connections;
  readonly #gate: Gate | undefined;
  readonly #touchedMs = new Map<string, number>();
  /** What came last on each connection: most send the same token each time, which is looked at once. */
  readonly #lastSent = new WeakMap<Socket, SentToken>();

  constructor(parts: {
    /** Undefined for a manager by itself, which has no tokens of its own. */
    readonly tokens: TokenRecords | undefined;
    /** The tokens of the fleet; undefined where this process is no manager. */
    readonly fleet: Pick<TokenRecords, 'findBySha256'> | undefined;
    /** A caller of the fleet is at this node's own routes what a manager would let it be. */
    readonly fleetRoleMax: Role;
    readonly clock: Clock;
    readonly local: LocalRoles;
    readonly connections: Connections;
    /** Undefined where no manager may ask for others. */
    readonly gate: Gate | undefined;
  }) {
    this.#tokens = parts.tokens;
    this.#fleet = parts.fleet;
    this.#fleetRoleMax = parts.fleetRoleMax;
    this.#clock = parts.clock;
    this.#local = parts.local;
    this.#connections = parts.connections;
    this.#gate = parts.gate;
  }

  /**
   * Whom a manager vouches for; undefined for a request that speaks for nobody else, and where none may.
   *
   * @throws PinfoldError unauthenticated, forbidden, too_many_requests
   */
  vouched(request: IncomingMessage, target: string): Vouched | undefined {
    const { method = '', headers } = request;
    const certificate = this.#connections.certificateOf(request);
    return this.#gate?.verify({ method, target, headers, certificate });
  }

  /**
   * Who sends a request; `isOfFleet` says that it is for the fleet's routes, not for this node's own.
   *
   * @throws PinfoldError unauthenticated, forbidden
   */
  identify(request: IncomingMessage, isOfFleet: boolean): Caller {
    const { authorization } = request.headers;
    if (authorization !== undefined)
      return this.#byToken(this.#sentBy(request.socket, authorization), isOfFleet);
    if (this.#connections.entranceOf(request)?.kind === 'unix') return this.#byPeer(request);
    throw new PinfoldError('unauthenticated', { detail: 'Send a token: "Authorization: Bearer …".' });
  }

  /** With the SHA-256 of the token; of no token's, where the header has no token's form. */
  #sentBy(socket: Socket, authorization: string): SentToken {
    const last = this.#lastSent.get(socket);
    if (last?.authorization === authorization) return last;
    const [, secret = ''] = /^bearer +([A-Za-z0-9._~+/=-]{1,512})$/i.exec(authorization) ?? [];
    const sent = { authorization, sha256: hash('sha256', secret, 'buffer'), known: undefined };
    this.#lastSent.set(socket, sent);
    return sent;
  }

  #byToken(sent: SentToken, isOfFleet: boolean): Caller {
    const own = this.#tokens?.findBySha256(sent.sha256);
    const record = own ?? this.#fleet?.findBySha256(sent.sha256);
    if (record === undefined || (record !== sent.known?.record && !isOf(record, sent))) {
      throw new PinfoldError('unauthenticated', {
        detail: 'The token is not known; it may have been revoked.',
      });
    }
    if (record.expiresAt !== null && record.expiresAt <= this.#clock.now().toISOString()) {
      throw new PinfoldError('unauthenticated', { detail: 'The token has expired.' });
    }
    if (own !== undefined) this.#touch(record.name);
    if (record !== sent.known?.record) {
      const whose = own === undefined ? 'fleet' : 'api';
      sent.known = { record, caller: { actor: `${whose}:${record.name}`, role: record.role } };
    }
    const { caller } = sent.known;
    const isCapped = own === undefined && !isOfFleet && !mayAct(this.#fleetRoleMax, caller.role);
    return isCapped ? { ...caller, role: this.#fleetRoleMax } : caller;
  }

  #byPeer(request: IncomingMessage): Caller {
    const peer = this.#connections.peerOf(request.socket);
    const role = peer === undefined ? undefined : this.#local.roleOf(peer);
    if (peer === undefined || role === undefined) {
      throw new PinfoldError('forbidden', {
        detail: `The user ${peer?.uid ?? 'of this connection'} has no role; configure one, or send a token.`,
      });
    }
    return { actor: `uid:${peer.uid} pid:${peer.pid} comm:${peer.comm}`, role, pid: peer.pid };
  }

  /**
   * Notes when a token was last used, at most once a minute, so that a busy caller costs no write a
   * request.
   */
  #touch(name: string): void {
    const last = this.#touchedMs.get(name);
    const nowMs = this.#clock.monotonicMs();
    if (last !== undefined && nowMs - last < touchIntervalMs) return;
    this.#touchedMs.set(name, nowMs);
    try {
      this.#tokens?.touch(name, this.#clock.now().toISOString());
    } catch (error) {
      if (!(error instanceof PinfoldError)) throw error;
    }
  }
}

/** A header as it came, and whose token it has been found to be. */
interface SentToken {
  readonly authorization: string;
  readonly sha256: Uint8Array;
  known: { readonly record: TokenRecord; readonly caller: Caller } | undefined;
}

function isOf(record: TokenRecord, { sha256 }: SentToken): boolean {
  return timingSafeEqual(sha256, record.sha256);
}

/** Refuses a caller whose role is too low. @throws PinfoldError forbidden */
export function assertMay(caller: Caller, needed: Role): void {
  if (mayAct(caller.role, needed)) return;
  throw new PinfoldError('forbidden', {
    detail: `This needs the role ${needed}; ${caller.actor} has the role ${caller.role}.`,
  });
}
