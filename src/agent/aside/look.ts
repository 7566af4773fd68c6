import { setImmediate } from 'node:timers/promises';
import type { ObservedPath, ObservedPin } from '../../model/cluster/pinset/observed.ts';
import { isPinfoldError } from '../../model/error.ts';
import type { PinPath } from '../../model/path.ts';
import { etagOfPin } from '../etag.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import { Holds } from '../operation/holds.ts';
import { Site } from '../operation/site.ts';
import type { Subject } from '../operation/subject.ts';
import { View } from '../operation/view.ts';

/** Paths that are looked at in one turn of the event loop: about a millisecond. */
const pathsATurn = 16;

/**
 * What paths of the primary instance are now, read from the kernel; nothing is held when it resolves.
 *
 * @throws PinfoldError mount_not_found, mount_unavailable, overloaded, staging_unsafe: nothing can be said
 */
export async function lookAtPaths(
  environment: OperationEnvironment,
  paths: readonly PinPath[],
): Promise<ReadonlyMap<PinPath, ObservedPath>> {
  const seen = new Map<PinPath, ObservedPath>();
  for (let from = 0; from < paths.length; from += pathsATurn) {
    if (from > 0) await setImmediate();
    using site = Site.open(environment, undefined, false);
    for (const path of paths.slice(from, from + pathsATurn)) {
      using holds = new Holds();
      seen.set(path, lookAt(new View(site, holds, () => undefined), path));
    }
  }
  return seen;
}

/** The same of one path, at once. @throws as `lookAtPaths` */
export function lookAtPath(environment: OperationEnvironment, path: PinPath): ObservedPath {
  using site = Site.open(environment, undefined, false);
  using holds = new Holds();
  return lookAt(new View(site, holds, () => undefined), path);
}

/** What one path is; the view's holds are the caller's to let go. */
function lookAt(view: View, path: PinPath): ObservedPath {
  try {
    const found = view.find(path);
    return found === undefined ? { is: 'absent' } : { is: 'pin', pin: observedPinOf(found) };
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
    return { is: 'blocked', code: error.code, detail: error.message };
  }
}

function observedPinOf(subject: Subject): ObservedPin {
  const state = subject.known();
  const { object, inode, annotations, instance } = state;
  const info = subject.held?.info;
  const pinnedAt = String(inode.mtimeNs);
  const { kind, id, fingerprint } = object;
  return {
    identity: { instance, inode: inode.inode, pinnedAt, kind, id, fingerprint },
    kind,
    type: object.type,
    name: object.name,
    tag: info?.kind === 'program' ? info.tag : undefined,
    map: info?.kind === 'map' ? info : undefined,
    mode: inode.mode.toString(8).padStart(4, '0'),
    uid: inode.uid,
    gid: inode.gid,
    labels: annotations.labels,
    owner: annotations.owner,
    etag: etagOfPin(state),
  };
}
