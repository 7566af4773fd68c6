import { X509Certificate } from 'node:crypto';
import type { TlsTexts } from '../../model/certificates.ts';
import { parseClusterName } from '../../model/cluster/key.ts';
import { type AgentConfig, ConfigError } from '../../model/config.ts';
import type { ManagerConfig } from '../../model/manager-config.ts';
import { type Identity, identityUri, parseIdentity } from './identity.ts';

/** Of an agent: where members of its fleet have certificates, it is its node's. @throws ConfigError */
export function assertAgentIdentity(
  { node, cluster }: Pick<AgentConfig, 'node' | 'cluster'>,
  { cert, ca }: TlsTexts,
): void {
  if (ca === undefined || cluster.etcd.length === 0) return;
  const name = parseClusterName(node);
  assertOwnIdentity(cert, { node: name, manager: cluster.isManager ? name : undefined });
}

/** The same of a manager by itself. @throws ConfigError */
export function assertManagerIdentity({ name }: Pick<ManagerConfig, 'name'>, { cert, ca }: TlsTexts): void {
  if (ca !== undefined) assertOwnIdentity(cert, { manager: parseClusterName(name, 'manager') });
}

/**
 * Makes sure that a certificate is that of whoever is about to show it, before anybody else finds out.
 *
 * @throws ConfigError with what is missing, and what makes it
 */
function assertOwnIdentity(pem: string, expected: Partial<Identity>): void {
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
