import type { MountInfo } from './mountinfo.ts';

/** The mounts of one namespace, asked how they lie on each other. */
export interface MountTree {
  /**
   * Whether another mount lies over this one's path, so that the path leads elsewhere.
   *
   * It is what the parent ids say; two mounts propagated to one place can look like this too, which is why
   * a path is proven before it is used.
   */
  isShadowed(mount: MountInfo): boolean;
  /** The mount and those it hangs on, up to the root of the namespace. */
  chain(mount: MountInfo): readonly MountInfo[];
}

/** Arranges the mounts of one mountinfo file. */
export function mountTree(mounts: readonly MountInfo[]): MountTree {
  const byId = new Map(mounts.map((mount) => [mount.id, mount]));
  const childrenOf = new Map<number, MountInfo[]>();
  for (const mount of mounts) {
    const siblings = childrenOf.get(mount.parent);
    if (siblings === undefined) childrenOf.set(mount.parent, [mount]);
    else siblings.push(mount);
  }

  const chain = (mount: MountInfo): readonly MountInfo[] => {
    const passed = new Set<MountInfo>();
    for (
      let at: MountInfo | undefined = mount;
      at !== undefined && !passed.has(at);
      at = byId.get(at.parent)
    ) {
      passed.add(at);
    }
    return [...passed];
  };
  const siblings = (mount: MountInfo): readonly MountInfo[] =>
    (childrenOf.get(mount.parent) ?? []).filter((other) => other !== mount && other.id !== other.parent);
  const isShadowed = (mount: MountInfo): boolean =>
    (childrenOf.get(mount.id) ?? []).some((child) => child !== mount && child.path === mount.path) ||
    chain(mount).some((step) => siblings(step).some((other) => covers(other.path, step.path)));

  return { isShadowed, chain };
}

function covers(upper: string, path: string): boolean {
  return upper === path || path.startsWith(upper.endsWith('/') ? upper : `${upper}/`);
}
