import type { Etcd3, ICompare, IRequestOp } from 'etcd3';
import type { EtcdTexts } from '../../model/certificates.ts';
import { assertLeaseSeconds, assertTransaction } from '../../model/cluster/check.ts';
import type { ClusterKey, ClusterPrefix } from '../../model/cluster/key.ts';
import type {
  ClusterChange,
  ClusterCondition,
  ClusterEntry,
  ClusterLease,
  ClusterNews,
  ClusterOutcome,
  ClusterReading,
  ClusterStore,
  ClusterTransaction,
} from '../../model/cluster/store.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { KeyQuota } from '../key-quota.ts';
import { askAgain, askOnce, type EtcdOptions } from './client.ts';
import { entriesOf, parseRevision } from './convert.ts';
import { Members } from './members.ts';
import { watchEtcd } from './watch.ts';

/** Keys of one answer of etcd; a list is as many answers as it takes, all of one revision. */
const pageKeys = 1000;

/** A store whose certificate may be replaced while it is open. */
export interface EtcdClusterStore extends ClusterStore {
  /** What is asked from now on, and watches, go over connections with these; nothing is broken off. */
  renew(tls: EtcdTexts): void;
}

/** The fleet's store in etcd v3, over gRPC. */
class EtcdStore implements EtcdClusterStore {
  readonly #members: Members;
  readonly #closing = new AbortController();

  constructor(options: EtcdOptions) {
    this.#members = new Members(options);
  }

  renew(tls: EtcdTexts): void {
    if (!this.#closing.signal.aborted) this.#members.renew(tls);
  }

  async get(key: ClusterKey): Promise<ClusterReading<ClusterEntry | undefined>> {
    this.#assertOpen();
    const { kvs, header } = await askAgain(this.#members, ({ kv }, call) =>
      kv.range({ key: Buffer.from(key) }, call),
    );
    const [value] = kvs.flatMap(entriesOf);
    return { value, revision: parseRevision(header.revision) };
  }

  async list(prefix: ClusterPrefix): Promise<ClusterReading<readonly ClusterEntry[]>> {
    this.#assertOpen();
    const end = endOf(prefix);
    const entries: ClusterEntry[] = [];
    let key = Buffer.from(prefix);
    let revision = 0;
    const quota = new KeyQuota();
    for (;;) {
      const wanted = { key, range_end: end, limit: pageKeys, ...(revision === 0 ? {} : { revision }) };
      const { kvs, header, more } = await askAgain(this.#members, ({ kv }, call) => kv.range(wanted, call));
      if (revision === 0) revision = parseRevision(header.revision);
      for (const entry of kvs.flatMap(entriesOf)) if (quota.take(entry.key)) entries.push(entry);
      const last = kvs.at(-1);
      if (!more || last === undefined) return { value: entries, revision };
      if (entries.length > limits.clusterKeysMax) throw tooMany();
      key = Buffer.concat([last.key, Buffer.from([0])]);
    }
  }

  async txn(transaction: ClusterTransaction): Promise<ClusterOutcome> {
    assertTransaction(transaction);
    this.#assertOpen();
    const request = {
      compare: transaction.conditions.map(compareOf),
      success: transaction.changes.map(operationOf),
    };
    const { succeeded, header } = await askOnce(this.#members, ({ kv }, call) => kv.txn(request, call));
    return { succeeded, revision: parseRevision(header.revision) };
  }

  async lease(ttlSeconds: number): Promise<ClusterLease> {
    assertLeaseSeconds(ttlSeconds);
    this.#assertOpen();
    const members = this.#members;
    const { ID: id } = await askAgain(members, ({ leaseClient }, call) =>
      leaseClient.leaseGrant({ TTL: ttlSeconds }, call),
    );
    return {
      id,
      ttlSeconds,
      renew: async () => await askAgain(members, async (etcd, call) => await renewLease(etcd, id, call)),
      revoke: async () => {
        try {
          await askAgain(members, ({ leaseClient }, call) => leaseClient.leaseRevoke({ ID: id }, call));
        } catch (error) {
          if (!(error instanceof PinfoldError) || error.code !== 'lease_lost') throw error;
        }
      },
    };
  }

  async *watch(
    prefix: ClusterPrefix,
    fromRevision: number,
    signal: AbortSignal,
  ): AsyncGenerator<ClusterNews, void, undefined> {
    this.#assertOpen();
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    const watched = { key: Buffer.from(prefix), end: endOf(prefix), fromRevision };
    yield* watchEtcd(this.#members, watched, stop);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#members.close();
  }

  #assertOpen(): void {
    if (!this.#closing.signal.aborted) return;
    throw new PinfoldError('cluster_unavailable', { detail: 'The cluster store is closed.' });
  }
}

/** Opens it; connects when it is first asked. */
export function openEtcdStore(options: EtcdOptions): EtcdClusterStore {
  return new EtcdStore(options);
}

/** One renewal on a stream of its own; a time of 0 says that there is no such lease. */
async function renewLease(
  { leaseClient }: Etcd3,
  id: string,
  call: { readonly deadline: number },
): Promise<void> {
  const stream = await leaseClient.leaseKeepAlive(call);
  const answer = await new Promise<{ readonly TTL: string }>((resolve, reject) => {
    stream.on('data', resolve);
    stream.on('error', reject);
    stream.on('end', () => reject(new Error('the stream of renewals ended')));
    stream.write({ ID: id });
  });
  stream.end();
  if (Number(answer.TTL) > 0) return;
  throw new PinfoldError('lease_lost', { detail: 'The lease is over, with what was put under it.' });
}

/** The first key after a prefix, which ends with a slash: `0` follows `/` in ASCII. */
function endOf(prefix: ClusterPrefix): Buffer {
  return Buffer.from(`${prefix.slice(0, -1)}0`);
}

function compareOf(condition: ClusterCondition): ICompare {
  const key = Buffer.from(condition.key);
  if ('modRevision' in condition)
    return { result: 'Equal', target: 'Mod', key, mod_revision: condition.modRevision };
  return { result: 'Equal', target: 'Value', key, value: Buffer.from(condition.value) };
}

function operationOf(change: ClusterChange): IRequestOp {
  if ('delete' in change) return { request_delete_range: { key: Buffer.from(change.delete) } };
  const { put: key, value, lease } = change;
  return {
    request_put: {
      key: Buffer.from(key),
      value: Buffer.from(value),
      ...(lease === undefined ? {} : { lease: lease.id }),
    },
  };
}

function tooMany(): PinfoldError {
  return new PinfoldError('cluster_damaged', {
    detail: `The cluster store has more than ${limits.clusterKeysMax} keys under one prefix.`,
  });
}
