import type { Etcd3 } from 'etcd3';
import type { EtcdTexts } from '../../model/certificates.ts';
import { limits } from '../../model/limits.ts';
import { type EtcdOptions, openEtcd } from './client.ts';

/** A client of etcd, and what tells that another has taken its place. */
export interface CurrentClient {
  readonly etcd: Etcd3;
  readonly replaced: AbortSignal;
}

/** What was asked of a client that has been replaced is answered by then: twice what a call may take. */
const lastAnswersMs = 2 * limits.clusterCallMs;

/**
 * The client that etcd is asked by now. A channel of gRPC keeps the certificate it was made with, also when
 * it connects again after that has ended; so a new certificate means a new client, and the one before
 * finishes what it was asked.
 */
export class RenewedClient {
  readonly #options: EtcdOptions;
  readonly #former = new Map<Etcd3, NodeJS.Timeout>();
  #etcd: Etcd3;
  #replacing = new AbortController();

  constructor(options: EtcdOptions) {
    this.#options = options;
    this.#etcd = openEtcd(options);
  }

  get now(): CurrentClient {
    return { etcd: this.#etcd, replaced: this.#replacing.signal };
  }

  renew(tls: EtcdTexts): void {
    const before = this.#etcd;
    const replacing = this.#replacing;
    this.#etcd = openEtcd({ ...this.#options, tls });
    this.#replacing = new AbortController();
    const closing = setTimeout(() => this.#closeFormer(before), lastAnswersMs).unref();
    this.#former.set(before, closing);
    replacing.abort();
  }

  close(): void {
    for (const former of this.#former.keys()) this.#closeFormer(former);
    this.#etcd.close();
  }

  #closeFormer(former: Etcd3): void {
    clearTimeout(this.#former.get(former));
    this.#former.delete(former);
    former.close();
  }
}
