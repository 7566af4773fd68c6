import type { PinSetOnNode } from '../../client/documents.ts';
import { escapeText } from '../../model/escape.ts';
import { formatTable } from '../format/table.ts';
import { partOf } from './follow-rollout.ts';

const headings = [
  { title: 'NODE' },
  { title: 'GENERATION', align: 'right' },
  { title: 'STATE' },
  { title: 'ROLLOUT' },
  { title: 'DRIFT' },
] as const;

/** What each node came to, as lines of a table. */
export function nodeTable(items: readonly PinSetOnNode[], hasHeader: boolean): string[] {
  return formatTable(
    headings,
    items.map((item) => [
      escapeText(item.node),
      String(item.generation),
      item.ahead_of_store === true ? `${item.state}, ahead of the store` : item.state,
      partOf(item),
      driftsOf(item),
    ]),
    hasHeader,
  );
}

function driftsOf({ drifts, more_drifts: more, detail }: PinSetOnNode): string {
  const said = drifts.map(({ path, code }) => `${path} ${code}`);
  if (more !== undefined) said.push(`and ${more} more`);
  return escapeText(said.length === 0 ? (detail ?? '') : said.join(', '));
}
