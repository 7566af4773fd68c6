import { readFileSync } from 'node:fs';
import { type Agent, request } from 'node:https';
import { join } from 'node:path';
import type { Response } from 'supertest';
import { authority } from '../../src/cluster/pki/authority.ts';
import type { CertificateWish } from '../../src/model/cluster/certificate.ts';
import { disposable } from './disposal.ts';
import { tempDir } from './temp-dir.ts';

/** A pair that an authority has issued, as files. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** An authority in a directory of its own, which disposing removes with all that it issued. */
export interface TestPki extends Disposable {
  /** The certificate of the authority. */
  readonly ca: string;
  readonly directory: string;
  issue(name: string, wish?: Partial<CertificateWish>): Promise<Pair>;
  /** What an agent or a manager is given to show a pair, and to know those of this authority. */
  settings(pair: Pair): Readonly<Record<'tls-cert' | 'tls-key' | 'tls-client-ca', string>>;
}

/** Makes one. */
export async function testPki(): Promise<TestPki> {
  const dir = tempDir('pki');
  const directory = join(dir.path, 'fleet');
  const { certFile: ca } = await authority.init(directory, 10);
  return {
    ca,
    directory,
    issue: async (name, wish = {}) => {
      const nobody = { isNode: false, isManager: false, isRenewal: false };
      const usual = { ...nobody, hosts: ['127.0.0.1', 'localhost'], days: 5 };
      const { certFile, keyFile } = await authority.issue(directory, { name, ...usual, ...wish });
      return { cert: certFile, key: keyFile };
    },
    settings: ({ cert, key }) => ({ 'tls-cert': cert, 'tls-key': key, 'tls-client-ca': ca }),
    ...disposable(() => dir[Symbol.dispose]()),
  };
}

/** A request over TLS, and the pair it shows; none, to come without. */
export interface TlsAsk {
  readonly url: string;
  readonly ca: string;
  readonly pair?: Pair | undefined;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body?: unknown;
  /** Connections to use again; one of its own unless told. */
  readonly agent?: Agent;
}

/** Asks on a connection of its own; rejects where the handshake fails. Who answers is not looked at. */
export async function askTls(ask: TlsAsk): Promise<Pick<Response, 'status' | 'body'>> {
  const { url, ca, pair, method = 'GET', body, agent = false } = ask;
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const headers = { ...type, ...ask.headers };
  const shown = pair === undefined ? {} : { cert: readFileSync(pair.cert), key: readFileSync(pair.key) };
  const options = { method, headers, ca: readFileSync(ca), agent, ...shown };
  return await new Promise((resolve, reject) => {
    const sent = request(url, { ...options, checkServerIdentity: () => undefined }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        const isJson = /json/.test(response.headers['content-type'] ?? '') && text !== '';
        resolve({ status: response.statusCode ?? 0, body: isJson ? JSON.parse(text) : text });
      });
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
