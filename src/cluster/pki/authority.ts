// The library that encodes certificates looks its parts up by this.
import 'reflect-metadata';
import { createPrivateKey, KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Authority, CertificateWish, IssuedCertificate } from '../../model/cluster/certificate.ts';
import { parseClusterName } from '../../model/cluster/key.ts';
import { PinfoldError } from '../../model/error.ts';
import { escapeText } from '../../model/escape.ts';
import { identityUri } from './identity.ts';
import { preparePrivateDir, replacePair, writePair } from './private-files.ts';

const { subtle } = webcrypto;

/** ECDSA with P-256 and SHA-256 (FIPS 186-5): what every TLS stack and etcd take. */
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

const dayMs = 86_400_000;

/** Whoever shows a certificate of this name may do everything in an etcd that knows its clients. */
const etcdAdministrator = 'root';

/** A certificate is good from a little before it was made: clocks differ. */
const headStartMs = 300_000;

/** A small authority in a directory: `ca.crt` and `ca.key`, and a pair for each name it issues. */
export const authority: Authority = {
  init: async (directory, days) => {
    preparePrivateDir(directory);
    const keys = await newKeys();
    const cert = await X509CertificateGenerator.createSelfSigned({
      ...validity(days),
      name: `CN=Pinfold fleet ${randomBytes(4).toString('hex')}`,
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    });
    return write(filesOf(directory, 'ca'), cert, { key: keys.privateKey, put: writePair });
  },
  issue: async (directory, wish) => {
    const name = parseClusterName(wish.name, 'certificate');
    if (name === 'ca') throw invalid('The name ca is that of the authority itself.');
    preparePrivateDir(directory);
    const ca = await readAuthority(directory);
    const keys = await newKeys();
    const { notBefore, notAfter } = validity(wish.days);
    if (name === etcdAdministrator && (wish.isNode || wish.isManager))
      throw invalid('root is the name of etcd’s own administrator: give the node or manager another.');
    const names = namesOf(wish);
    const extensions: Extension[] = [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      await AuthorityKeyIdentifierExtension.create(ca.cert.publicKey, false, webcrypto),
    ];
    const cert = await X509CertificateGenerator.create({
      notBefore,
      notAfter: notAfter < ca.cert.notAfter ? notAfter : ca.cert.notAfter,
      subject: [{ CN: [name] }],
      issuer: ca.cert.subject,
      publicKey: keys.publicKey,
      signingKey: ca.key,
      signingAlgorithm: algorithm,
      extensions,
    });
    const put = wish.isRenewal ? replacePair : writePair;
    return write(filesOf(directory, name), cert, { key: keys.privateKey, put });
  },
};

async function newKeys() {
  return await subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function validity(days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  // Whole seconds: a certificate has no smaller ones (RFC 5280, 4.1.2.5).
  const nowMs = Math.floor(Date.now() / 1000) * 1000;
  return { notBefore: new Date(nowMs - headStartMs), notAfter: new Date(nowMs + days * dayMs) };
}

/** Its identities, its name where that can be a host's, and where it is reached. @throws PinfoldError */
function namesOf({ name, isNode, isManager, hosts }: CertificateWish): JsonGeneralName[] {
  const own = [name, ...hosts].filter((host, index) => index > 0 || isHostName(host));
  return [
    ...(isNode ? [{ type: 'url' as const, value: identityUri('node', name) }] : []),
    ...(isManager ? [{ type: 'url' as const, value: identityUri('manager', name) }] : []),
    ...own.map((host): JsonGeneralName => {
      if (isIP(host) !== 0) return { type: 'ip', value: host };
      if (isHostName(host)) return { type: 'dns', value: host };
      throw invalid(`"${escapeText(host)}" is neither a host name nor an IP address.`);
    }),
  ];
}

/** RFC 1123, 2.1; a name for all hosts below one is not issued. */
function isHostName(text: string): boolean {
  const label = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
  return text.length <= 253 && text.split('.').every((part) => label.test(part));
}

async function readAuthority(directory: string) {
  const { certFile, keyFile } = filesOf(directory, 'ca');
  try {
    const der = createPrivateKey(readFileSync(keyFile)).export({ type: 'pkcs8', format: 'der' });
    const key = await subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
    return { cert: new X509Certificate(readFileSync(certFile, 'utf8')), key };
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'they cannot be read';
    const detail =
      `${escapeText(directory)} has no authority that can be used (${why}); ` +
      'pinfold pki init DIR makes one.';
    throw new PinfoldError('invalid_input', { detail }, error);
  }
}

function filesOf(directory: string, name: string) {
  return { certFile: join(directory, `${name}.crt`), keyFile: join(directory, `${name}.key`) };
}

function write(
  files: ReturnType<typeof filesOf>,
  cert: X509Certificate,
  { key: privateKey, put }: { readonly key: webcrypto.CryptoKey; readonly put: typeof writePair },
): IssuedCertificate {
  const key = KeyObject.from(privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  put(files, { key, cert: `${cert.toString('pem')}\n` });
  return { ...files, notAfter: cert.notAfter.toISOString() };
}

function invalid(detail: string): PinfoldError {
  return new PinfoldError('invalid_input', { detail });
}
