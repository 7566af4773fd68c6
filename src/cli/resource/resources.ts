import { escapeText } from '../../model/escape.ts';
import { UsageError } from '../exit.ts';
import { adoptableResource } from './adoptable.ts';
import { btfResource } from './btf.ts';
import { claimResource } from './claim.ts';
import { eventResource } from './event.ts';
import { findingResource } from './finding.ts';
import { linkResource } from './link.ts';
import { mapResource } from './map.ts';
import { mountResource } from './mount.ts';
import { nodeResource } from './node.ts';
import { objectResource } from './object.ts';
import { operationResource } from './operation.ts';
import { pinResource } from './pin.ts';
import { pinSetResource } from './pinset.ts';
import { programResource } from './program.ts';
import { quarantineResource } from './quarantine.ts';
import type { Resource } from './resource.ts';
import { tokenResource } from './token.ts';
import { webhookResource } from './webhook.ts';

/** Every noun of `get`, in the order help shows them. */
export const resources: readonly Resource[] = [
  pinResource,
  objectResource,
  mapResource,
  programResource,
  linkResource,
  btfResource,
  mountResource,
  nodeResource,
  pinSetResource,
  adoptableResource,
  findingResource,
  quarantineResource,
  claimResource,
  eventResource,
  operationResource,
  webhookResource,
  tokenResource,
];

/** What `get` offers: the plural of what can be listed, the singular of what must be named. */
export const gettableNouns: readonly string[] = resources.map(({ list, plural, singular }) =>
  list === undefined ? singular : plural,
);

/** What `describe` offers. */
export const describableNouns: readonly string[] = resources
  .filter(({ canFind }) => canFind)
  .map(({ singular }) => singular);

/** The noun a word means: its plural, its singular or an alias. @throws UsageError */
export function resourceNamed(word: string): Resource {
  const found = resources.find((resource) => resource.words.includes(word));
  if (found !== undefined) return found;
  throw new UsageError(`There is nothing called ${escapeText(word)}; there are ${gettableNouns.join(', ')}.`);
}
