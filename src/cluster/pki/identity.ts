import { isClusterName } from '../../model/cluster/key.ts';

/** Who a certificate says its owner is; one may be both. */
export interface Identity {
  readonly node: string | undefined;
  readonly manager: string | undefined;
}

/** Nobody. */
const nobody: Identity = { node: undefined, manager: undefined };

/** The URI of an identity, as certificates carry it. */
export function identityUri(kind: keyof Identity, name: string): string {
  return `pinfold://${kind}/${name}`;
}

/** One entry as Node prints them: `URI:pinfold://node/a`, quoted like JSON where it has other characters. */
const entry = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)/gy;

/**
 * Reads the identities of a certificate from what Node's crypto calls its `subjectAltName`.
 *
 * Only URIs count that have the exact form, so that nothing written into another name passes for one; a
 * certificate with two of one kind has none of that kind.
 */
export function parseIdentity(subjectAltName: string | undefined): Identity {
  if (subjectAltName === undefined) return nobody;
  const entries = [...subjectAltName.matchAll(entry)];
  if (entries.map(([text]) => text).join('') !== subjectAltName) return nobody;
  const uris = entries.filter(([, type]) => type === 'URI').map(([, , value = '']) => value);
  const nameOf = (kind: keyof Identity): string | undefined => {
    const start = identityUri(kind, '');
    const [name, ...others] = uris
      .filter((uri) => uri.startsWith(start))
      .map((uri) => uri.slice(start.length));
    return name !== undefined && others.length === 0 && isClusterName(name) ? name : undefined;
  };
  return { node: nameOf('node'), manager: nameOf('manager') };
}
