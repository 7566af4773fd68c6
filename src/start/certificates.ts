import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { CertificateState, CertificateUse, EtcdTexts, TlsTexts } from '../model/certificates.ts';
import type { Clock } from '../model/clock.ts';
import { type AgentConfig, ConfigError } from '../model/config.ts';
import { limits } from '../model/limits.ts';
import type { Log } from '../model/log.ts';
import type { Renewable } from '../model/renewable.ts';

/** What certificates are looked after with. */
export interface CertificateTools {
  readonly clock: Clock;
  readonly log: Log;
}

type Files = { readonly [Name in keyof EtcdTexts]: string | undefined };

/** Which files are read, what for, and what they must be beside good. */
interface Wanted<Texts> {
  readonly use: CertificateUse;
  readonly files: Files;
  readonly parse: (texts: EtcdTexts) => Texts;
  /** @throws Error with a sentence */
  readonly judge: (texts: Texts) => void;
}

/**
 * The texts of some PEM files, and what is put in their place later: certificates end, and a process need
 * not for that. Files are looked at every limits.certificatesLookMs, and when somebody asks for it. What is
 * in them is taken when key, certificate and authorities go together; else the former stay, and the log
 * tells it once.
 */
class CertificateFiles<Texts extends EtcdTexts> implements Renewable<Texts>, Disposable {
  readonly #wanted: Wanted<Texts>;
  readonly #tools: CertificateTools;
  readonly #followers = new Set<(texts: Texts) => void>();
  readonly #timer: NodeJS.Timeout;
  #now: Texts;
  #seen: string;
  #refusal: string | undefined;

  /** @throws ConfigError where a file cannot be read, or is not what it must be */
  constructor(wanted: Wanted<Texts>, tools: CertificateTools) {
    this.#wanted = wanted;
    this.#tools = tools;
    this.#seen = this.#marks();
    this.#now = this.#read();
    wanted.judge(this.#now);
    this.#timer = setInterval(() => this.look(), limits.certificatesLookMs).unref();
  }

  get now(): Texts {
    return this.#now;
  }

  /** Undefined where no certificate is shown: a client of etcd may have none. */
  get state(): CertificateState | undefined {
    const { cert } = this.#now;
    if (cert === undefined) return undefined;
    return { use: this.#wanted.use, notAfter: ends(cert), refusal: this.#refusal };
  }

  follow(take: (texts: Texts) => void): () => void {
    this.#followers.add(take);
    return () => this.#followers.delete(take);
  }

  /** Takes what is in the files now, where it is good and another than before. */
  look(): void {
    const marks = this.#marks();
    if (marks === this.#seen && this.#refusal === undefined) return;
    this.#seen = marks;
    const { use } = this.#wanted;
    const { log, clock } = this.#tools;
    try {
      const texts = this.#read();
      const isNew = JSON.stringify(texts) !== JSON.stringify(this.#now);
      if (isNew) {
        assertGood(texts, clock.now());
        this.#wanted.judge(texts);
      }
      this.#refusal = undefined;
      if (!isNew) return;
      this.#now = texts;
    } catch (error) {
      const refusal = error instanceof Error ? error.message : String(error);
      if (refusal !== this.#refusal)
        log.warn('changed certificate files are not taken; what was read before stays', {
          use,
          cause: refusal,
        });
      this.#refusal = refusal;
      return;
    }
    log.info('certificate files were read anew', { use, not_after: this.state?.notAfter.toISOString() });
    for (const take of this.#followers) take(this.#now);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #read(): Texts {
    const { files, parse } = this.#wanted;
    const read = (file: string | undefined) => (file === undefined ? undefined : readText(file));
    return parse({ ca: read(files.ca), cert: read(files.cert), key: read(files.key) });
  }

  /** What changes when a file does, also when it is another one under its name. */
  #marks(): string {
    const { ca, cert, key } = this.#wanted.files;
    return [ca, cert, key].map((file) => (file === undefined ? '' : markOf(file))).join(' ');
  }
}

/** All certificates of a process. */
export interface OpenCertificates extends Disposable {
  /** Of its own listener, which it shows to nodes, too. */
  readonly tls: Renewable<TlsTexts> | undefined;
  /** What it shows etcd; undefined where etcd is spoken to without TLS. */
  readonly etcd: Renewable<EtcdTexts> | undefined;
  states(): readonly CertificateState[];
  /** Looks at all files now. */
  look(): void;
}

/** Reads those that a configuration names; `judge` says whose they must be. @throws ConfigError */
export function openCertificates(
  { tls, cluster: { etcdTls } }: Pick<AgentConfig, 'tls' | 'cluster'>,
  judge: (texts: TlsTexts) => void,
  tools: CertificateTools,
): OpenCertificates {
  const parse = (read: EtcdTexts): TlsTexts => ({ ...read, cert: read.cert ?? '', key: read.key ?? '' });
  const listener = tls === undefined ? undefined : { cert: tls.cert, key: tls.key, ca: tls.clientCa };
  const own =
    listener && new CertificateFiles<TlsTexts>({ use: 'listen', files: listener, parse, judge }, tools);
  const ofEtcd = { use: 'etcd', parse: (read: EtcdTexts) => read, judge: () => undefined } as const;
  const etcd = etcdTls && new CertificateFiles<EtcdTexts>({ ...ofEtcd, files: etcdTls }, tools);
  const all = [own, etcd].filter((files) => files !== undefined);
  return {
    ...{ tls: own, etcd },
    states: () => all.map(({ state }) => state).filter((state) => state !== undefined),
    look: () => {
      for (const files of all) files.look();
    },
    [Symbol.dispose]: () => {
      for (const files of all) files[Symbol.dispose]();
    },
  };
}

/** @throws Error with a sentence for what nobody could use, now */
function assertGood({ ca, cert, key }: EtcdTexts, now: Date): void {
  try {
    createSecureContext({ ca, cert, key });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`The certificate, its key and the authorities do not go together (${why}).`);
  }
  // OpenSSL takes what holds no authority for a list of none, and then nobody is let in.
  if (ca !== undefined) assertAuthorities(ca);
  if (cert === undefined) return;
  const { validFrom, validTo } = new X509Certificate(cert);
  if (now < new Date(validFrom)) throw new Error(`The certificate is good from ${validFrom} on.`);
  if (now > new Date(validTo)) throw new Error(`The certificate has ended on ${validTo}.`);
}

function assertAuthorities(text: string): void {
  const all = text.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? [];
  try {
    if (all.map((pem) => new X509Certificate(pem)).length > 0) return;
  } catch {
    // Said below.
  }
  throw new Error('The file of the authorities holds no certificates that can be read.');
}

function ends(cert: string): Date {
  try {
    return new Date(new X509Certificate(cert).validTo);
  } catch {
    return new Date(0);
  }
}

function markOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? 'none' : `${found.ino}:${found.size}:${found.mtimeMs}`;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new ConfigError(`${file} cannot be read (${why}).`);
  }
}
