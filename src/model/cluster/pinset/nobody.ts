import type { PinSet } from '../../schema/pinset.ts';
import { isMeantFor } from './select.ts';

/** Labels that are named in a sentence at most. */
const labelsMax = 5;

/** Labels may be long; a sentence need not be. */
const sentenceCharsMax = 500;

/**
 * Why a pin set is meant for none of these nodes, for a person; undefined where it is meant for one. A label
 * that is misspelt looks like any other: so the values are named that nodes do have.
 */
export function nobodyOf(
  spec: Pick<PinSet, 'all' | 'selector'>,
  nodes: readonly { readonly labels: Readonly<Record<string, string>> }[],
): string | undefined {
  if (nodes.some(({ labels }) => isMeantFor(spec, labels))) return undefined;
  const wanted = Object.entries(spec.selector ?? {});
  if (spec.all === true) return 'no node is known yet';
  if (wanted.length === 0) return 'it names no labels, and does not say all: true';
  const there = wanted.map(([key]) => {
    const values = new Set(
      nodes.flatMap(({ labels }) => (Object.hasOwn(labels, key) ? (labels[key] ?? []) : [])),
    );
    const named = [...values].sort().slice(0, labelsMax);
    if (named.length === 0) return `no node has a label ${key}`;
    const more = values.size > named.length ? ', …' : '';
    return `${key} is ${named.join(', ')}${more} where nodes have it`;
  });
  const labels = wanted.map(([key, value]) => `${key}=${value}`).join(',');
  return `no node has ${labels}: ${there.join('; ')}`.slice(0, sentenceCharsMax);
}
