import type { MountPath } from '../model/schema/pin.ts';

/**
 * What metrics call an instance of bpffs: its first path that is in sight, for device numbers mean nothing to
 * people. One that only other mount namespaces show, as a container's, is told from the agent's own at the
 * same path: else its pins would stand for ours when those are gone.
 *
 * @returns undefined where it is mounted nowhere any more
 */
export function mountLabel(paths: readonly MountPath[], ownNamespace: number): string | undefined {
  const own = paths.filter(({ namespace }) => namespace === ownNamespace);
  const [first] = [...inSight(own), ...own, ...inSight(paths), ...paths];
  if (first === undefined) return undefined;
  const { path, namespace } = first;
  return own.length > 0 ? path : `${path} (mount namespace ${namespace})`;
}

function inSight(paths: readonly MountPath[]): readonly MountPath[] {
  return paths.filter(({ shadowed }) => !shadowed);
}
