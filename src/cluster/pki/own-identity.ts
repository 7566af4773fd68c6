import { X509Certificate } from 'node:crypto';
import { ConfigError } from '../../model/config.ts';
import { type Identity, identityUri, parseIdentity } from './identity.ts';

/**
 * Makes sure that a certificate is that of whoever is about to show it, before anybody else finds out.
 *
 * @throws ConfigError with what is missing, and what makes it
 */
export function assertOwnIdentity(pem: string, expected: Partial<Identity>): void {
  const found = identityOf(pem);
  for (const kind of ['node', 'manager'] as const) {
    const name = expected[kind];
    if (name === undefined || found[kind] === name) continue;
    throw new ConfigError(
      `The certificate of --tls-cert is not that of the ${kind} ${name}: it must have the URI ` +
        `${identityUri(kind, name)} among its names, as pinfold pki issue DIR --${kind} ${name} makes it.`,
    );
  }
}

function identityOf(pem: string): Identity {
  try {
    return parseIdentity(new X509Certificate(pem).subjectAltName);
  } catch {
    throw new ConfigError('The file of --tls-cert holds no certificate that can be read.');
  }
}
