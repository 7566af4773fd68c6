import { PinfoldError } from '../../model/error.ts';
import { mayAct, type Role } from '../../model/role.ts';
import type { Identity } from '../pki/identity.ts';
import { actorText, parseRole, signatureHeaders } from './signature.ts';
import type { SeenRequest, SignatureVerifier, Vouched } from './verifier.ts';

/** A request, and who its connection's certificate is of. */
export interface ArrivedRequest extends SeenRequest {
  /** Undefined on connections that show no certificate which we could judge: the unix socket, plain TCP. */
  readonly certificate: Identity | undefined;
}

/** What a node lets managers in by. */
export interface GateOptions {
  readonly signatures: SignatureVerifier;
  /** Whether the key of signatures is the fleet's: then managers with a certificate must sign, too. */
  readonly isKeyShared: boolean;
  /** No manager acts here with more than this role, whatever its caller has. */
  readonly roleMax: Role;
}

/**
 * Knows the requests in which a manager speaks for one of its callers, and who that caller is.
 *
 * Where connections show certificates only a manager's may do that: the fleet's key, which every node has, is
 * then not enough. Where they do not, the signature alone vouches.
 */
export class ManagerGate {
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /**
   * Undefined for a request that speaks for nobody else.
   *
   * @throws PinfoldError unauthenticated, forbidden, too_many_requests
   */
  verify(request: ArrivedRequest): Vouched | undefined {
    const { certificate, headers } = request;
    const { signatures, isKeyShared, roleMax } = this.#options;
    if (certificate === undefined) return signatures.verify(request);
    if (!Object.values(signatureHeaders).some((name) => headers[name] !== undefined)) return undefined;
    const { manager } = certificate;
    if (manager === undefined) throw notManager(certificate);
    if (isKeyShared) {
      const vouched = signatures.verify(request);
      if (vouched?.manager !== manager)
        throw unauthenticated('A manager signs with the --cluster-key that this node has, in its own name.');
      return vouched;
    }
    const role = parseRole(String(headers[signatureHeaders.role]));
    const actor = headers[signatureHeaders.actor];
    if (role === undefined || typeof actor !== 'string')
      throw unauthenticated('The manager does not say for whom it asks, and in which role.');
    const least = mayAct(roleMax, role) ? role : roleMax;
    const caller = { actor: `${actorText(actor)} via:${manager}`, role: least };
    return { caller, manager, bodyHash: undefined };
  }
}

function notManager({ node }: Identity): PinfoldError {
  const whose = node === undefined ? 'neither a node’s nor a manager’s' : `that of the node ${node}`;
  return new PinfoldError('forbidden', {
    detail: `Only a manager speaks for others; the certificate of this connection is ${whose}.`,
  });
}

function unauthenticated(detail: string): PinfoldError {
  return new PinfoldError('unauthenticated', { detail });
}
