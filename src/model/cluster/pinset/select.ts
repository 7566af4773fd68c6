import type { PinSet } from '../../schema/pinset.ts';
import { isSelected, selectorOf } from '../selector.ts';

/** Tells whether a pin set is meant for a node with these labels: no labels asked for means no node. */
export function isMeantFor(
  { all, selector = {} }: Pick<PinSet, 'all' | 'selector'>,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (all === true) return true;
  return Object.keys(selector).length > 0 && isSelected(labels, selectorOf(selector));
}
