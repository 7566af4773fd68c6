import type { Etcd3 } from 'etcd3';
import type { EtcdTexts } from '../../model/certificates.ts';
import { limits } from '../../model/limits.ts';
import { type EtcdOptions, openMember } from './client.ts';

/** A client of one member of etcd, and what tells that another has taken its place. */
export interface Member {
  readonly etcd: Etcd3;
  readonly replaced: AbortSignal;
}

/** The client of one address, and what came of it. */
interface Place {
  readonly url: string;
  readonly etcd: Etcd3;
  readonly replacing: AbortController;
  readonly openedMs: number;
  /** When it was last without an answer; long ago for one that never was. */
  failedMs: number;
}

/** What was asked of a client that has been replaced is answered by then: twice what a call may take. */
const lastAnswersMs = 2 * limits.clusterCallMs;

/** A member that gave no answer is asked for so long only where no other is left. */
const avoidedMs = 5000;

/**
 * So old is a connection that is still being made when it is given up for another. The kernel sends a SYN
 * that was lost again after 1, 2, 4, … s (net/ipv4/tcp_timer.c), so that one that is made over a partition
 * would come about up to as long after it again.
 */
const stuckMs = 3000;

/**
 * The members of etcd, each with a client of its own: who gave no answer is not asked again while others are
 * there, and gets another connection where the one it has does not come about.
 *
 * A channel of gRPC keeps the certificate it was made with, also when it connects again after that has ended;
 * so a new certificate means new clients, and those before finish what they were asked.
 */
export class Members {
  readonly #former = new Map<Etcd3, NodeJS.Timeout>();
  readonly #closing = new AbortController();
  #tls: EtcdTexts;
  #places: readonly Place[];
  #opened = 0;

  constructor({ urls, tls }: EtcdOptions) {
    this.#tls = tls;
    this.#places = urls.map((url) => this.#open(url));
  }

  /** Aborted by `close`: nobody is to be asked any more. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Whom to ask now: any that answers, else the one that has been without an answer longest. */
  pick(): Member {
    const longAgo = performance.now() - avoidedMs;
    const well = this.#places.filter(({ failedMs }) => failedMs < longAgo);
    const [longest] = [...this.#places].sort((one, other) => one.failedMs - other.failedMs);
    const place = well[Math.floor(Math.random() * well.length)] ?? longest;
    if (place === undefined) throw new TypeError('an etcd without members');
    return { etcd: place.etcd, replaced: place.replacing.signal };
  }

  /** It gave no answer; `isConnecting` where nothing could be sent, because no connection came about. */
  failed({ etcd }: Member, isConnecting: boolean): void {
    const now = performance.now();
    const place = this.#places.find((one) => one.etcd === etcd);
    if (place === undefined) return;
    place.failedMs = now;
    if (!isConnecting || now - place.openedMs < stuckMs || this.#closing.signal.aborted) return;
    const fresh = this.#open(place.url, now);
    this.#places = this.#places.map((one) => (one === place ? fresh : one));
    this.#leave(place);
  }

  renew(tls: EtcdTexts): void {
    const before = this.#places;
    this.#tls = tls;
    this.#places = before.map(({ url, failedMs }) => this.#open(url, failedMs));
    for (const place of before) this.#leave(place);
  }

  /** What has been asked is answered or given up; it is not asked again. */
  close(): void {
    this.#closing.abort();
    for (const former of this.#former.keys()) this.#closeFormer(former);
    for (const { etcd } of this.#places) etcd.close();
  }

  #open(url: string, failedMs = Number.NEGATIVE_INFINITY): Place {
    this.#opened += 1;
    const etcd = openMember(url, this.#tls, this.#opened);
    return { url, etcd, replacing: new AbortController(), openedMs: performance.now(), failedMs };
  }

  #leave({ etcd, replacing }: Place): void {
    this.#former.set(etcd, setTimeout(() => this.#closeFormer(etcd), lastAnswersMs).unref());
    replacing.abort();
  }

  #closeFormer(former: Etcd3): void {
    clearTimeout(this.#former.get(former));
    this.#former.delete(former);
    former.close();
  }
}
