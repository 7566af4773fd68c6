import { parseMember } from '../../model/cluster/documents.ts';
import { type ClusterKey, type ClusterName, clusterKey } from '../../model/cluster/key.ts';
import type { ClusterLease, ClusterStore } from '../../model/cluster/store.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { describeError, type Log } from '../../model/log.ts';
import type { DigestDocument, MemberDocument } from '../../model/schema/cluster.ts';
import { Backoff, pause } from '../backoff.ts';

/** Who joins, and what they have to say. */
export interface RegistrationOptions {
  readonly store: ClusterStore;
  readonly node: ClusterName;
  readonly member: MemberDocument;
  /** Undefined while there is nothing to say yet. */
  readonly digest: () => Promise<DigestDocument | undefined>;
  readonly log: Log;
}

/**
 * Keeps a node in the fleet: its member entry under a lease that is renewed, its digest when it changed.
 *
 * A store that cannot be reached changes nothing for the node; it is tried again. A lease that was lost is
 * replaced. Where another agent has this name, this one waits until that one is gone, and says so.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #keys: { readonly member: ClusterKey; readonly digest: ClusterKey };
  readonly #stopping = new AbortController();
  #lease: ClusterLease | undefined;
  #written: string | undefined;
  #trouble: string | undefined = 'it has not joined yet';
  #running: Promise<void> | undefined;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#keys = {
      member: clusterKey('nodes', options.node, 'member'),
      digest: clusterKey('nodes', options.node, 'digest'),
    };
    assertShort(options.member);
  }

  /** Why this node is not in the fleet now; undefined while it is. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Begins, and resolves after the first try, whatever came of it. */
  async start(): Promise<void> {
    let tried: () => void = () => undefined;
    const first = new Promise<void>((resolve) => {
      tried = resolve;
    });
    this.#running = this.#run(tried);
    await first;
  }

  /** Leaves the fleet: others see at once that it is not there. Does not wait for a store that is away. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    if (this.#trouble === undefined) await this.#lease?.revoke().catch(() => undefined);
  }

  async #run(onTried: () => void): Promise<void> {
    const { signal } = this.#stopping;
    const backoff = new Backoff();
    const everyMs = (limits.memberLeaseSeconds * 1000) / 3;
    while (!signal.aborted) {
      try {
        await this.#keep();
        this.#note(undefined);
        backoff.reset();
        onTried();
        await pause(everyMs, signal);
      } catch (error) {
        if (isPinfoldError(error, 'lease_lost')) this.#lease = undefined;
        this.#note(error);
        onTried();
        await backoff.wait(signal);
      }
    }
  }

  async #keep(): Promise<void> {
    if (this.#lease === undefined) await this.#join();
    else await this.#lease.renew();
    const digest = await this.#options.digest();
    if (digest === undefined) return;
    const { observed_at: _, ...facts } = digest;
    const text = JSON.stringify(facts);
    if (text === this.#written) return;
    await this.#options.store.txn({
      conditions: [],
      changes: [{ put: this.#keys.digest, value: textOfDigest(digest) }],
    });
    this.#written = text;
  }

  /** @throws PinfoldError conflict where another agent has the name */
  async #join(): Promise<void> {
    const { store, member, node } = this.#options;
    const { value: known } = await store.get(this.#keys.member);
    const holder = known === undefined ? undefined : parseMember(known.value);
    if (holder !== undefined && holder.agent !== member.agent) {
      throw new PinfoldError('conflict', {
        detail:
          `Another agent, at ${holder.address}, is in the fleet as ${node}: ` +
          'give one of them another --node.',
      });
    }
    const lease = await store.lease(limits.memberLeaseSeconds);
    const { succeeded } = await store.txn({
      conditions: [{ key: this.#keys.member, modRevision: known?.modRevision ?? 0 }],
      changes: [{ put: this.#keys.member, value: JSON.stringify(member), lease }],
    });
    if (!succeeded) {
      await lease.revoke();
      throw new PinfoldError('conflict', { detail: `Another agent joined as ${node} at this moment.` });
    }
    this.#lease = lease;
    this.#written = undefined;
  }

  #note(error: unknown): void {
    const before = this.#trouble;
    this.#trouble = error === undefined ? undefined : error instanceof Error ? error.message : String(error);
    if (this.#trouble === before) return;
    const { log, node } = this.#options;
    if (error === undefined) log.info('joined the fleet', { node });
    else log.warn('this node is not in the fleet; it tries again', { node, cause: describeError(error) });
  }
}

/** Labels are in the store twice, and a digest has its bound. @throws PinfoldError invalid_input */
function assertShort({ labels }: MemberDocument): void {
  const bytes = Buffer.byteLength(JSON.stringify(labels));
  if (bytes <= limits.memberLabelsBytesMax) return;
  throw new PinfoldError('invalid_input', {
    detail:
      `The labels of a node in a fleet have ${limits.memberLabelsBytesMax} bytes together at most; ` +
      `these have ${bytes}.`,
  });
}

function textOfDigest(digest: DigestDocument): string {
  const text = JSON.stringify(digest);
  if (Buffer.byteLength(text) <= limits.digestBytesMax) return text;
  return JSON.stringify({ ...digest, findings: {} });
}
