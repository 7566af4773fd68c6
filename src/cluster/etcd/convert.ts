import type { IKeyValue } from 'etcd3';
import { parseStoredKey } from '../../model/cluster/key.ts';
import type { ClusterEntry } from '../../model/cluster/store.ts';
import { PinfoldError } from '../../model/error.ts';

/** A revision is an int64 as decimal text; ours stay far below 2^53. @throws PinfoldError cluster_damaged */
export function parseRevision(text: string): number {
  const revision = Number(text);
  if (Number.isSafeInteger(revision)) return revision;
  throw new PinfoldError('cluster_damaged', { detail: 'etcd gave a revision that is no number.' });
}

/** An entry of one that etcd gave. */
export function entryOf({ key, value, create_revision, mod_revision }: IKeyValue): ClusterEntry {
  return {
    key: parseStoredKey(key.toString('utf8')),
    value: value.toString('utf8'),
    createRevision: parseRevision(create_revision),
    modRevision: parseRevision(mod_revision),
  };
}
