import type { BpffsRoot, HeldObject, Kernel, KnownObjects, OpenName } from '../../kernel/kernel.ts';
import { isPinfoldError } from '../../model/error.ts';
import type { PinPath } from '../../model/path.ts';
import { pinnedObjectOf } from './holds.ts';
import type { PinState } from './sink.ts';
import { factsOf, type Site } from './site.ts';

/** Holds what is pinned at a path of any instance. @throws as Bpffs.openPin */
export function holdObjectAt(kernel: Kernel, root: BpffsRoot, path: PinPath): HeldObject {
  using open = kernel.bpffs.openPin(root, path);
  return kernel.objects.holdPinned(open.fd);
}

/** A pin as it was read, with its object, which is held from then on. */
export interface HeldPin {
  readonly held: HeldObject;
  readonly state: PinState;
}

/**
 * Reads a pin and goes on holding its object, once however many pins it has; the pin's own inode is let go at
 * once. Undefined where its directory has no such name. @throws as Bpffs.findPin
 */
export function holdPin(site: Site, path: PinPath, known?: KnownObjects): HeldPin | undefined {
  using open = site.lookAt(path, (place) => site.kernel.bpffs.findPin(site.root, { place, path }));
  if (open === undefined) return undefined;
  const held = site.kernel.objects.holdPinned(open.fd, known);
  try {
    return { held, state: stateOf(site, { path, open, held }) };
  } catch (error) {
    if (known?.find(held.kind, held.id) !== held) held[Symbol.dispose]();
    throw error;
  }
}

/** What is pinned at a path now; undefined where nothing is, or nothing that can be read as a pin. */
export function objectAt(site: Site, path: PinPath): PinState | undefined {
  try {
    const pin = holdPin(site, path);
    pin?.held[Symbol.dispose]();
    return pin?.state;
  } catch (error) {
    if (isPinfoldError(error)) return undefined;
    throw error;
  }
}

function stateOf(
  site: Site,
  pin: {
    readonly path: PinPath;
    readonly open: OpenName;
    readonly held: HeldObject;
  },
): PinState {
  const { mount, instance, sink } = site;
  const inode = factsOf(pin.open);
  const identity = { instance, inode: inode.inode, mtimeNs: String(inode.mtimeNs) };
  return {
    mount,
    instance,
    path: pin.path,
    inode,
    object: pinnedObjectOf(pin.held),
    annotations: sink.annotationsOf(identity),
  };
}
