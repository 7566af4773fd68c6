import { randomBytes } from 'node:crypto';
import type { Address } from '../client/address.ts';
import { ClientError } from '../client/client-error.ts';
import { openTransport, type RawAnswer, type Transport, type TransportOptions } from '../client/transport.ts';
import type { Clock } from '../model/clock.ts';
import { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';
import type { Caller } from '../model/role.ts';
import { actorText, bodyHash, signedHeaders } from './signing/signature.ts';

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
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly tls?: NonNullable<TransportOptions['tls']>;
}

/**
 * Asks nodes over connections that are kept, every request signed with the cluster's key for one node, with
 * the caller's own name and role: the node decides what that role may.
 */
export class NodeCaller {
  readonly #options: NodeCallerOptions;
  readonly #transports = new Map<string, { readonly where: string; readonly transport: Transport }>();

  constructor(options: NodeCallerOptions) {
    this.#options = options;
  }

  /**
   * Sends one request and resolves when its answer begins, whatever its status.
   *
   * @throws PinfoldError node_unreachable
   */
  async call(node: NodeTarget, request: NodeRequest): Promise<RawAnswer> {
    const transport = this.#transportTo(node);
    const { method, target, caller, headers = {}, body, signal } = request;
    const { manager, key, clock } = this.#options;
    const signed = signedHeaders(key, {
      node: node.name,
      method,
      target,
      manager,
      timeMs: clock.now().getTime(),
      nonce: randomBytes(16).toString('base64url'),
      actor: actorText(caller.actor),
      role: caller.role,
      body: bodyHash(body ?? new Uint8Array()),
    });
    try {
      const all = { ...headers, ...signed };
      return await transport.send({ method, target, headers: all, body: body ?? null, signal });
    } catch (error) {
      throw unreachable(node.name, reasonOf(error, signal), error);
    }
  }

  /** Lets go of connections to nodes that are not among these any more. */
  async keepOnly(names: ReadonlySet<string>): Promise<void> {
    const gone = [...this.#transports].filter(([name]) => !names.has(name));
    for (const [name] of gone) this.#transports.delete(name);
    await Promise.all(gone.map(([, { transport }]) => transport.close()));
  }

  async close(): Promise<void> {
    await this.keepOnly(new Set());
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
      ...(tls === undefined ? {} : { tls }),
    });
    this.#transports.set(name, { where, transport });
    return transport;
  }
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
