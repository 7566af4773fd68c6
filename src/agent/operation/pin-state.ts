import type { BpffsRoot, HeldObject, Kernel, OpenName } from '../../kernel/kernel.ts';
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

/**
 * Reads a pin and goes on holding its object; the pin's own inode is let go at once. @throws as Bpffs.openPin
 */
export function holdPin(site: Site, path: PinPath): { readonly held: HeldObject; readonly state: PinState } {
  using open = site.kernel.bpffs.openPin(site.root, path);
  const held = site.kernel.objects.holdPinned(open.fd);
  try {
    return { held, state: stateOf(site, { path, open, held }) };
  } catch (error) {
    held[Symbol.dispose]();
    throw error;
  }
}

/** What is pinned at a path now; undefined where nothing is, or nothing that can be read as a pin. */
export function objectAt(site: Site, path: PinPath): PinState | undefined {
  try {
    const { held, state } = holdPin(site, path);
    held[Symbol.dispose]();
    return state;
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
