import { until } from '../until.ts';
import type { FleetLab } from './lab.ts';
import { labPatience } from './view.ts';

/** One key as it was after one change; `undefined` where it went. */
export interface Change {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>> | undefined;
  readonly revision: number;
}

/**
 * Everything that was ever written below a prefix, in order, told by etcd's own tool: nothing is compacted in
 * the lab. This is how tests judge what happened while nobody could look.
 */
export async function historyOf({ etcd, ctl }: FleetLab, prefix: string): Promise<readonly Change[]> {
  const { header } = JSON.parse(ctl('e1', 'get', prefix, '--prefix', '--limit=1', '-w', 'json'));
  const { ip, spaces } = etcd.e1.machine;
  const words = ['--endpoints', `http://${ip}:2379`, 'watch', '--prefix', prefix, '--rev=1', '-w', 'json'];
  using watch = spaces.start('env', 'ETCDCTL_API=3', 'etcdctl', ...words);
  // A key of the test's own marks the end: when it is told, everything before it is.
  ctl('e1', 'put', `${prefix}end`, JSON.stringify({ revision: header.revision }));
  const read = (): readonly Change[] => watch.lines.flatMap(parseChanges);
  const isWhole = (changes: readonly Change[]): boolean =>
    changes.some(({ key, revision }) => key === `${prefix}end` && revision > header.revision);
  const all = await until('the end of the history', read, isWhole, labPatience);
  return all.filter(({ key }) => key !== `${prefix}end`);
}

function parseChanges(line: string): readonly Change[] {
  const {
    Events = [],
  }: { Events?: readonly { type?: number; kv: Readonly<Record<string, string | number>> }[] } =
    JSON.parse(line);
  return Events.map(({ type, kv }) => ({
    key: textOf(kv['key']),
    value: type === 1 ? undefined : JSON.parse(textOf(kv['value'])),
    revision: Number(kv['mod_revision']),
  }));
}

function textOf(base64: string | number | undefined): string {
  return Buffer.from(String(base64 ?? ''), 'base64').toString('utf8');
}
