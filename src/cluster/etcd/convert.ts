import type { IKeyValue } from 'etcd3';
import { isStoredKey } from '../../model/cluster/key.ts';
import type { ClusterEntry } from '../../model/cluster/store.ts';
import { PinfoldError } from '../../model/error.ts';

/** A revision is an int64 as decimal text; ours stay far below 2^53. @throws PinfoldError cluster_damaged */
export function parseRevision(text: string): number {
  const revision = Number(text);
  if (Number.isSafeInteger(revision)) return revision;
  throw new PinfoldError('cluster_damaged', { detail: 'etcd gave a revision that is no number.' });
}

/**
 * An entry of one that etcd gave. None for a key that Pinfold did not make: a node may write what it likes
 * below its own prefix, and must not keep others from reading theirs.
 */
export function entriesOf({ key: bytes, value, create_revision, mod_revision }: IKeyValue): ClusterEntry[] {
  const key = bytes.toString('utf8');
  if (!isStoredKey(key)) return [];
  return [
    {
      key,
      value: value.toString('utf8'),
      createRevision: parseRevision(create_revision),
      modRevision: parseRevision(mod_revision),
    },
  ];
}
