import { randomBytes } from 'node:crypto';
import type { Address } from '../client/address.ts';
import { ClientError } from '../client/client-error.ts';
import { openTransport, type RawAnswer, type Transport, type TransportOptions } from '../client/transport.ts';
import type { TlsTexts } from '../model/certificates.ts';
import type { Clock } from '../model/clock.ts';
import { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';
import type { Renewable } from '../model/renewable.ts';
import type { Caller } from '../model/role.ts';
import { parseIdentity } from './pki/identity.ts';
import { actorText, bodyHash, meaningOf, signatureHeaders, signedHeaders } from './signing/signature.ts';

/** A node, and where it is reached. */
export interface NodeTarget {
  readonly name: string;
  readonly address: Address;
}

/** What one node is asked, and for whom. */
export interface NodeRequest {
  readonly method: string;
  /** `/v1/…`, as it stands in the request line. */
  readonly target: string;
  readonly caller: Caller;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
}

/** How this manager speaks to nodes. */
export interface NodeCallerOptions {
  /** The manager's own name. */
  readonly manager: string;
  /** The fleet's, or one that only the agent of this process knows. */
  readonly key: Uint8Array;
  /** Whether nodes elsewhere have that key, too; where not, they know this manager by its certificate. */
  readonly isKeyShared: boolean;
  readonly clock: Clock;
  /** Its own certificate, and the authorities of nodes'. */
  readonly tls?: Renewable<TlsTexts>;
}

/**
 * Asks nodes over connections that are kept, with the caller's own name and role: the node decides what that
 * role may. A request is signed with the cluster's key for that one node, or comes over a connection on which
 * both sides have shown their certificates; a node is taken for the one that is meant only by its own.
 */
export class NodeCaller {
  readonly #options: NodeCallerOptions;
  readonly #transports = new Map<string, { readonly where: string; readonly transport: Transport }>();
  /** Those that finish what was asked with a former certificate. */
  readonly #retiring = new Set<Transport>();
  readonly #unfollow: (() => void) | undefined;

  constructor(options: NodeCallerOptions) {
    this.#options = options;
    this.#unfollow = options.tls?.follow(() => this.#renew());
  }

  /**
   * Sends one request and resolves when its answer begins, whatever its status.
   *
   * @throws PinfoldError node_unreachable
   */
  async call(node: NodeTarget, request: NodeRequest): Promise<RawAnswer> {
    const transport = this.#transportTo(node);
    const { method, target, headers = {}, body, signal } = request;
    try {
      const all = { ...headers, ...this.#credentials(node, request) };
      return await transport.send({ method, target, headers: all, body: body ?? null, signal });
    } catch (error) {
      throw unreachable(node.name, reasonOf(error, signal), error);
    }
  }

  /** How a node knows for whom it is asked. @throws PinfoldError node_unreachable */
  #credentials(node: NodeTarget, request: NodeRequest): Record<string, string> {
    const { method, target, caller, body, headers = {} } = request;
    const { manager, key, clock, isKeyShared, tls } = this.#options;
    const { address } = node;
    const actor = actorText(caller.actor);
    const { role } = caller;
    if (address.kind === 'url' && !isKeyShared) {
      if (tls !== undefined && address.url.startsWith('https:'))
        return { [signatureHeaders.actor]: actor, [signatureHeaders.role]: role };
      const why = 'it listens without TLS, and this manager is known by its certificate alone.';
      throw unreachable(node.name, why);
    }
    return signedHeaders(key, {
      ...{ node: node.name, method, target, manager, actor, role },
      timeMs: clock.now().getTime(),
      nonce: randomBytes(16).toString('base64url'),
      body: bodyHash(body ?? new Uint8Array()),
      meaning: meaningOf(headers),
    });
  }

  /** Lets go of the connections to a node that nobody knows any more. */
  async forget(name: string): Promise<void> {
    const known = this.#transports.get(name);
    this.#transports.delete(name);
    await known?.transport.close();
  }

  async close(): Promise<void> {
    this.#unfollow?.();
    const all = [...this.#transports.keys()].map((name) => this.forget(name));
    await Promise.all([...all, ...[...this.#retiring].map((old) => old.close())]);
  }

  /** What is asked from now on goes over new connections, on which the new certificate is shown. */
  #renew(): void {
    const before = [...this.#transports.values()];
    this.#transports.clear();
    for (const { transport } of before) {
      this.#retiring.add(transport);
      void transport.retire().then(() => this.#retiring.delete(transport));
    }
  }

  #transportTo({ name, address }: NodeTarget): Transport {
    const where = address.kind === 'unix' ? address.socketPath : address.url;
    const known = this.#transports.get(name);
    if (known?.where === where) return known.transport;
    void known?.transport.close();
    const { tls } = this.#options;
    const transport = openTransport({
      address,
      timeoutMs: limits.nodeSilenceMs,
      ...(tls === undefined ? {} : { tls: { ...pemOf(tls.now), refuse: refusing(name) } }),
    });
    this.#transports.set(name, { where, transport });
    return transport;
  }
}

function pemOf({ ca, cert, key }: TlsTexts): NonNullable<TransportOptions['tls']> {
  return { cert, key, ...(ca === undefined ? {} : { ca }) };
}

/** Refuses a certificate that is not this very node's, whatever host names it has. */
function refusing(name: string): (subjectAltName: string | undefined) => string | undefined {
  return (subjectAltName) => {
    const { node } = parseIdentity(subjectAltName);
    if (node === name) return undefined;
    return `it showed the certificate of ${node === undefined ? 'no node' : `the node ${node}`}`;
  };
}

/** The refusal for a node that did not answer. */
export function unreachable(node: string, reason: string, cause?: unknown): PinfoldError {
  return new PinfoldError(
    'node_unreachable',
    { detail: `The node ${node} did not answer: ${reason}`, node },
    cause,
  );
}

/** Why a call failed, for people: without addresses of what was tried, which the node's own entry tells. */
export function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'it took too long.';
  if (error instanceof ClientError || error instanceof PinfoldError) return error.message;
  return error instanceof Error ? error.message : String(error);
}
