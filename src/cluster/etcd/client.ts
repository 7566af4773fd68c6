import { Etcd3, type IOptions } from 'etcd3';
import type { EtcdTexts } from '../../model/certificates.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';

/** How to reach etcd. */
export interface EtcdOptions {
  /** `http://…` or `https://…`, one for each member. */
  readonly urls: readonly string[];
  readonly tls: EtcdTexts;
}

type Policies = NonNullable<IOptions['faultHandling']>;
type Policy = NonNullable<Policies['global']>;

/**
 * Tries once. The client's own policy would repeat a transaction whose answer was lost; a condition that held
 * the first time then fails the second, and the caller is told that nothing was done.
 */
const once: Policy = {
  _altReturn: parseNothing(),
  onSuccess: () => ({ dispose: () => undefined }),
  onFailure: () => ({ dispose: () => undefined }),
  execute: async (fn, signal = new AbortController().signal) => await fn({ signal }),
};

/** A member of the type that is only there for the compiler. */
function parseNothing(): never {
  return undefined as never;
}

/** Makes a client that connects when it is first asked, and never repeats a call by itself. */
export function openEtcd({ urls, tls }: EtcdOptions): Etcd3 {
  const { ca, cert, key } = tls;
  return new Etcd3({
    hosts: [...urls],
    dialTimeout: limits.clusterCallMs,
    faultHandling: { global: once, host: () => once },
    grpcOptions: {
      // A member that has stopped answering is noticed; etcd refuses pings that come oftener than every 5 s.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5000,
      'grpc.max_receive_message_length': 256 * 1024 * 1024,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2000,
    },
    ...(ca === undefined
      ? {}
      : {
          credentials: {
            rootCertificate: Buffer.from(ca),
            ...(cert === undefined ? {} : { certChain: Buffer.from(cert) }),
            ...(key === undefined ? {} : { privateKey: Buffer.from(key) }),
          },
        }),
  });
}

/** A call of gRPC by a moment at which it is given up. */
export type Call<Result> = (options: { readonly deadline: number }) => Promise<Result>;

/** How long one member is waited for where another can be asked instead. */
const attemptMs = 1500;

/**
 * Asks again, perhaps another member, until the time is over; for calls that may be carried out twice.
 *
 * @throws PinfoldError
 */
export async function askAgain<Result>(call: Call<Result>): Promise<Result> {
  const end = Date.now() + limits.clusterCallMs;
  for (let waitMs = 20; ; waitMs = Math.min(2 * waitMs, 500)) {
    try {
      return await call({ deadline: Math.min(Date.now() + attemptMs, end) });
    } catch (error) {
      const failure = failureOf(error);
      if (!isPinfoldError(failure, 'cluster_unavailable') || Date.now() + waitMs >= end) throw failure;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

/**
 * Asks once, but again where the request has surely not left; for transactions.
 *
 * @throws PinfoldError cluster_unavailable also where it may have been carried out
 */
export async function askOnce<Result>(call: Call<Result>): Promise<Result> {
  const end = Date.now() + limits.clusterCallMs;
  for (let waitMs = 20; ; waitMs = Math.min(2 * waitMs, 500)) {
    try {
      return await call({ deadline: end });
    } catch (error) {
      if (!wasNotSent(error) || Date.now() + waitMs >= end) throw failureOf(error);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

function wasNotSent(error: unknown): boolean {
  return error instanceof Error && /No connection established|ECONNREFUSED/.test(error.message);
}

/** What a failure of etcd means here. The texts are those of etcd's api/v3rpc/rpctypes/error.go. */
export function failureOf(error: unknown): unknown {
  if (error instanceof PinfoldError || !(error instanceof Error)) return error;
  const { message } = error;
  if (/requested lease not found/.test(message)) {
    return new PinfoldError(
      'lease_lost',
      { detail: 'The lease is over, with what was put under it.' },
      error,
    );
  }
  if (/permission denied|invalid auth|user name is empty/i.test(message)) {
    return new PinfoldError('forbidden', { detail: 'etcd does not let this certificate do that.' }, error);
  }
  if (/request is too large|too many operations/.test(message)) {
    return new PinfoldError('invalid_input', { detail: 'This is too large for etcd.' }, error);
  }
  if (/database space exceeded/.test(message)) {
    return new PinfoldError(
      'cluster_unavailable',
      { detail: 'etcd is full: compact, defragment, disarm.' },
      error,
    );
  }
  return new PinfoldError(
    'cluster_unavailable',
    { detail: `etcd cannot be reached: ${shortOf(message)}` },
    error,
  );
}

function shortOf(message: string): string {
  return message.replace(/^\w+Error: /, '').slice(0, 200);
}
