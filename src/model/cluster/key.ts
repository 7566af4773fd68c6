import { PinfoldError } from '../error.ts';
import { limits } from '../limits.ts';

declare const keyBrand: unique symbol;
declare const nameBrand: unique symbol;

/**
 * A key of the fleet's store: names joined by slashes under `/pinfold/v1/`. Made by this file only, so that
 * nothing a caller sends reaches another key.
 */
export type ClusterKey = string & { readonly [keyBrand]: true };

/** What a range of keys begins with; it ends with a slash, so that it covers whole names. */
export type ClusterPrefix = string & { readonly [keyBrand]: 'prefix' };

/** The name of a node, a pin set or a manager: letters, digits, dots, dashes and underscores. */
export type ClusterName = string & { readonly [nameBrand]: true };

/** All keys of a fleet begin with this; a second fleet needs a second store, or a store of its own. */
const root = '/pinfold/v1/';

const namePattern = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/** Tells whether a text can be the name of a node, a pin set or a manager. */
export function isClusterName(text: string): text is ClusterName {
  return text.length <= limits.clusterNameCharsMax && namePattern.test(text);
}

/** Makes a name. @throws PinfoldError invalid_input; `what` says in the sentence whose name it is */
export function parseClusterName(text: string, what = 'node'): ClusterName {
  if (isClusterName(text)) return text;
  throw new PinfoldError('invalid_input', {
    detail:
      `This is not the name of a ${what}: letters, digits, dots, dashes and underscores, ` +
      `${limits.clusterNameCharsMax} at most.`,
  });
}

/** Makes the prefix of what has one first name, such as `nodes` or `desired`, and perhaps a second. */
export function clusterPrefix(first: string, second?: ClusterName): ClusterPrefix {
  return parseKeyOf(first, second === undefined ? [] : [second], '/') as ClusterPrefix;
}

/** Makes a key; the first name and the last are words of ours, what is between is parsed before. */
export function clusterKey(
  first: string,
  ...rest: readonly (ClusterName | 'member' | 'digest' | 'status' | 'leader')[]
): ClusterKey {
  return parseKeyOf(first, rest, '') as ClusterKey;
}

/** The names of a key after `/pinfold/v1/`; undefined for what is no key of ours. */
export function namesOfKey(key: string): readonly string[] | undefined {
  if (!key.startsWith(root)) return undefined;
  const names = key.slice(root.length).split('/');
  return names.every((name) => namePattern.test(name)) ? names : undefined;
}

/** Tells whether a key in the store is one that Pinfold makes. */
export function isStoredKey(key: string): key is ClusterKey {
  return namesOfKey(key) !== undefined;
}

/** A key that the store gave back. @throws PinfoldError cluster_damaged where it is none of ours */
export function parseStoredKey(key: string): ClusterKey {
  if (namesOfKey(key) !== undefined) return key as ClusterKey;
  throw new PinfoldError('cluster_damaged', {
    detail: 'The cluster store has a key that Pinfold did not make.',
  });
}

function parseKeyOf(first: string, rest: readonly string[], end: '' | '/'): string {
  return `${root}${[first, ...rest].join('/')}${end}`;
}
