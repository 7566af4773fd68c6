import { bytesOf, parsePathBytes } from '../../model/path.ts';
import type { ObjectRecord, PinRecord } from '../../model/store.ts';
import { bootOf } from './annotations.ts';
import type { PinEntry } from './entry.ts';

/** What the store knew to be there when the agent started: the "before" of the first observation. */
export interface Remembered {
  /** Pins of this boot by mount (`major:minor`). */
  readonly pins: ReadonlyMap<string, readonly PinEntry[]>;
  /** Pins of other boots: they went with the kernel that held them. */
  readonly lost: readonly PinEntry[];
  readonly objects: readonly ObjectRecord[];
}

/** Sorts out what the store remembers. Pure. */
export function sortRemembered(
  pins: readonly PinRecord[],
  objects: readonly ObjectRecord[],
  bootId: string,
): Remembered {
  const described = new Map(
    objects.map((object) => [`${object.kind}:${object.id}:${object.fingerprint}`, object]),
  );
  const byMount = new Map<string, PinEntry[]>();
  const lost: PinEntry[] = [];
  for (const record of pins) {
    const object = described.get(`${record.kind}:${record.objectId}:${record.fingerprint}`);
    const pin = entryOf(record, object);
    if (bootOf(record.instance) !== bootId) lost.push(pin);
    else byMount.set(record.mount, [...(byMount.get(record.mount) ?? []), pin]);
  }
  return { pins: byMount, lost, objects };
}

/**
 * A record as a pin. Links and ctime are not stored; nothing that is decided from a remembered pin needs
 * them.
 */
export function entryOf(record: PinRecord, object: ObjectRecord | undefined): PinEntry {
  const info = object?.info;
  return {
    mount: record.mount,
    instance: record.instance,
    path: parsePathBytes(bytesOf(record.path)),
    inode: {
      inode: record.inode,
      mtimeNs: BigInt(record.mtimeNs),
      ctimeNs: 0n,
      mode: Number.parseInt(record.mode, 8),
      uid: record.uid,
      gid: record.gid,
      links: 1,
    },
    object: {
      kind: record.kind,
      id: record.objectId ?? 0,
      type: info?.type ?? '',
      name: info !== undefined && 'name' in info ? info.name : '',
      fingerprint: record.fingerprint ?? '',
    },
    annotations: { labels: record.labels, owner: record.owner, managed: record.managed },
    firstSeen: record.firstSeen,
  };
}
