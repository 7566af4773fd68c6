import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../../model/clock.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { type Caller, mayAct, type Role } from '../../model/role.ts';
import {
  isFirstForm,
  isMac,
  macOf,
  meaningOf,
  parseRole,
  parseSignature,
  signatureHeaders,
} from './signature.ts';

/** What a node sees of a request. */
export interface SeenRequest {
  readonly method: string;
  /** As it stands in the request line. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

/** Who asks through a manager, through which, and what the body must hash to, where that is signed. */
export interface Vouched {
  readonly caller: Caller;
  readonly manager: string;
  readonly bodyHash: string | undefined;
}

/** What a node judges signatures by. */
export interface VerifierOptions {
  readonly node: string;
  readonly key: Uint8Array;
  readonly clock: Clock;
  /** No manager acts here with more than this role, whatever its caller has. */
  readonly roleMax: Role;
}

/**
 * Accepts requests that a manager has signed with the cluster's key, each once.
 *
 * A request is fresh when its time is within limits.signatureWindowMs of ours, and its nonce was not seen in
 * that window. What was signed before this process began is refused, because the nonces of that time are not
 * known any more. Nonces are remembered only of requests with a good signature, so that nobody without the
 * key can fill the memory; where there are too many all the same, requests are refused and none is forgotten.
 */
export class SignatureVerifier {
  readonly #options: VerifierOptions;
  /** When a nonce may be forgotten, oldest first. */
  readonly #nonces = new Map<string, number>();
  readonly #startedMs: number;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#startedMs = options.clock.now().getTime();
  }

  /**
   * Undefined for a request that does not say it is signed.
   *
   * @throws PinfoldError unauthenticated, too_many_requests
   */
  verify({ method, target, headers }: SeenRequest): Vouched | undefined {
    const text = headers[signatureHeaders.signature];
    if (text === undefined) return undefined;
    const given = typeof text === 'string' ? parseSignature(text) : undefined;
    const role = parseRole(String(headers[signatureHeaders.role]));
    const actor = headers[signatureHeaders.actor];
    if (isFirstForm(text)) {
      throw refused(
        'The manager signs as an older version of Pinfold did (v1), and this node takes v2 alone: ' +
          'give both the same version.',
      );
    }
    if (given === undefined || role === undefined || typeof actor !== 'string') {
      throw refused('The signature of the manager cannot be read.');
    }
    const { node, key, clock, roleMax } = this.#options;
    const nowMs = clock.now().getTime();
    const expected = macOf(key, { ...given, node, method, target, actor, role, meaning: meaningOf(headers) });
    if (!isMac(expected, given.mac)) {
      throw refused(
        'The request is not signed with the key of this cluster for this node: ' +
          'give manager and node the same --cluster-key.',
      );
    }
    this.#assertFresh(given.nonce, given.timeMs, nowMs);
    const least = mayAct(roleMax, role) ? role : roleMax;
    const { manager, body } = given;
    return { caller: { actor: `${actor} via:${manager}`, role: least }, manager, bodyHash: body };
  }

  #assertFresh(nonce: string, timeMs: number, nowMs: number): void {
    const offMs = Math.abs(nowMs - timeMs);
    if (offMs > limits.signatureWindowMs) {
      throw refused(
        `The clocks of manager and node differ by ${Math.round(offMs / 1000)} s, or the request is old: ` +
          `they may differ by ${limits.signatureWindowMs / 1000} s.`,
      );
    }
    if (timeMs < this.#startedMs)
      throw refused('The request was signed before this agent started: ask again.');
    for (const [old, until] of this.#nonces) {
      if (until >= nowMs) break;
      this.#nonces.delete(old);
    }
    if (this.#nonces.has(nonce)) throw refused('This signed request was sent before.');
    if (this.#nonces.size >= limits.signatureNoncesMax) {
      throw new PinfoldError('too_many_requests', {
        detail: 'Too many signed requests at one time.',
        limit: 'signatures',
        retry_after: 1,
      });
    }
    // Its time may be ahead of ours by the window, and is good for another one after it.
    this.#nonces.set(nonce, nowMs + 2 * limits.signatureWindowMs);
  }
}

function refused(detail: string): PinfoldError {
  return new PinfoldError('unauthenticated', { detail });
}
