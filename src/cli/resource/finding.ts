import type { Finding } from '../../client/documents.ts';
import { ageColumn, shown, shownPath } from './cell.ts';
import { defineResource } from './resource.ts';

/** `get findings`: what is worth attention. */
export const findingResource = defineResource<Finding>({
  singular: 'finding',
  plural: 'findings',
  isFleetList: true,
  filters: ['rule', 'severity', 'kind', 'id', 'prefix', 'mount', 'fresh'],
  columns: [
    { title: 'SEVERITY', cell: (finding) => shown(finding.severity) },
    { title: 'RULE', cell: (finding) => shown(finding.rule) },
    { title: 'SUBJECT', cell: subjectOf },
    ageColumn((finding) => finding.first_seen),
    { title: 'SUMMARY', cell: (finding) => shown(finding.summary) },
    { title: 'ADVICE', isWide: true, cell: (finding) => shown(finding.advice) },
  ],
  list: (client, { rule, severity, kind, id, prefix, mount, fresh }, itemsMax) =>
    client.list('/v1/findings', { rule, severity, kind, id, prefix, mount, fresh }, itemsMax),
  nameOf: (finding) => `${finding.rule}/${subjectOf(finding)}`,
});

/** What a finding is about, shortest first: `map:5`, a path, a mount, an owner. */
function subjectOf({ subject }: Finding): string {
  const { kind, id, path, path_bytes, mount, owner, prefix } = subject;
  if (kind !== undefined && id !== undefined) return `${kind}:${id}`;
  if (path !== undefined) return shownPath({ path, path_bytes });
  return shown(mount ?? owner ?? prefix);
}
