import { fingerprintOf } from '../../model/fingerprint.ts';
import type { ObjectKind } from '../../model/kind.ts';
import type { ObjectInfo } from '../../model/schema/object.ts';
import type { HeldObject } from '../kernel.ts';
import type { Fd } from '../sys/fd.ts';
import { readBtfInfo } from './btf-info.ts';
import { readLinkInfo } from './link-info.ts';
import { readMapInfo } from './map-info.ts';
import { type BootTime, readProgramInfo } from './program-info.ts';

/**
 * An object with the descriptor that holds it and what the kernel tells of it.
 *
 * Takes the descriptor over: where the kernel cannot be asked, it is closed before the error goes on.
 */
export function describeHeld(kind: ObjectKind, fd: Fd, boot: BootTime): HeldObject {
  try {
    const info = readInfo(kind, fd, boot);
    const fingerprint = fingerprintOf(info);
    return { kind, id: info.id, fd, info, fingerprint, [Symbol.dispose]: () => fd[Symbol.dispose]() };
  } catch (error) {
    fd[Symbol.dispose]();
    throw error;
  }
}

function readInfo(kind: ObjectKind, fd: Fd, boot: BootTime): ObjectInfo {
  switch (kind) {
    case 'map':
      return readMapInfo(fd);
    case 'program':
      return readProgramInfo(fd, boot);
    case 'link':
      return readLinkInfo(fd);
    case 'btf':
      return readBtfInfo(fd);
  }
}
