import { Etcd3, type IOptions } from 'etcd3';
import type { EtcdTexts } from '../../model/certificates.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { pause } from '../backoff.ts';
import type { Members } from './members.ts';

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

/**
 * Makes a client of one member, which connects when it is first asked and never repeats a call by itself.
 * Clients with one `serial` share connections, as gRPC shares those whose options are the same.
 */
export function openMember(url: string, { ca, cert, key }: EtcdTexts, serial: number): Etcd3 {
  return new Etcd3({
    hosts: [url],
    dialTimeout: limits.clusterCallMs,
    faultHandling: { global: once, host: () => once },
    grpcOptions: {
      // A member that has stopped answering is noticed; etcd refuses pings that come oftener than every 5 s.
      'grpc.keepalive_time_ms': 6000,
      'grpc.keepalive_timeout_ms': 4000,
      'grpc.max_receive_message_length': 256 * 1024 * 1024,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1000,
      'pinfold.serial': serial,
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

/** A call of gRPC to one member by a moment at which it is given up. */
export type Call<Result> = (etcd: Etcd3, options: { readonly deadline: number }) => Promise<Result>;

/** How long one member is waited for where another can be asked instead. */
const attemptMs = 1500;

/** How long is waited before another try, at first and at most. */
const againMs = 20;
const againMsMax = 500;

/**
 * Asks again, another member where there is one, until the time is over; for calls that may be carried out
 * twice.
 *
 * @throws PinfoldError
 */
export async function askAgain<Result>(members: Members, call: Call<Result>): Promise<Result> {
  const end = Date.now() + limits.clusterCallMs;
  for (let waitMs = againMs; ; waitMs = Math.min(2 * waitMs, againMsMax)) {
    try {
      return await askMember(members, call, Math.min(Date.now() + attemptMs, end));
    } catch (error) {
      const failure = failureOf(error);
      if (!isPinfoldError(failure, 'cluster_unavailable') || Date.now() + waitMs >= end) throw failure;
      await pauseBefore(members, waitMs, failure);
    }
  }
}

/**
 * Asks once, but again where the request has surely not left; for transactions.
 *
 * @throws PinfoldError cluster_unavailable also where it may have been carried out
 */
export async function askOnce<Result>(members: Members, call: Call<Result>): Promise<Result> {
  const end = Date.now() + limits.clusterCallMs;
  for (let waitMs = againMs; ; waitMs = Math.min(2 * waitMs, againMsMax)) {
    try {
      return await askMember(members, call, end);
    } catch (error) {
      if (!wasNotSent(error) || Date.now() + waitMs >= end) throw failureOf(error);
      await pauseBefore(members, waitMs, failureOf(error));
    }
  }
}

/** @throws the failure where nobody is asked any more */
async function pauseBefore({ closing }: Members, waitMs: number, failure: unknown): Promise<void> {
  await pause(waitMs, closing);
  if (closing.aborted) throw failure;
}

/** Asks one, and remembers it where it does not answer. */
async function askMember<Result>(members: Members, call: Call<Result>, deadline: number): Promise<Result> {
  const member = members.pick();
  try {
    return await call(member.etcd, { deadline });
  } catch (error) {
    if (isPinfoldError(failureOf(error), 'cluster_unavailable')) members.failed(member, isConnecting(error));
    throw error;
  }
}

function wasNotSent(error: unknown): boolean {
  return error instanceof Error && /No connection established|ECONNREFUSED/.test(error.message);
}

/** Whether the time was over before there was a connection: so grpc-js says it (load-balancing-call.js). */
function isConnecting(error: unknown): boolean {
  return error instanceof Error && /Waiting for LB pick/.test(error.message);
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
