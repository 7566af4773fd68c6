import { PinfoldError } from '../../model/error.ts';
import { fingerprintOf } from '../../model/fingerprint.ts';
import type { ObjectKind } from '../../model/kind.ts';
import { getObject, nextObjectId, objectIdOf, openObjectById, pinObject } from '../bpf/objects.ts';
import { attempting, refusal } from '../bpffs/refusal.ts';
import { type UnusedTables, whyUnopened } from '../iter/unused-tables.ts';
import type { HeldObject, KnownObjects, Objects } from '../kernel.ts';
import { AT_FDCWD, type Calls, type Place } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { duplicateFromProcess, type ProcessSource } from './from-process.ts';
import { describeHeld } from './held-object.ts';
import { kindOf } from './kind-of.ts';
import type { BootTime } from './program-info.ts';
import { shownMapInfo } from './shown-map-info.ts';

/** Which objects are Pinfold's own instruments, so that nobody is shown them; and which are not opened. */
interface OwnObjects {
  isOwn(kind: ObjectKind, id: number): boolean;
  readonly unused: UnusedTables;
}

const nothingKnown: KnownObjects = { holdsAny: false, find: () => undefined };

/** bpf(2) on maps, programs, links and BTF; see the interface for what each promises. */
export class BpfObjects implements Objects {
  readonly #calls: Calls;
  readonly #boot: BootTime;
  readonly #own: OwnObjects;

  constructor(calls: Calls, boot: BootTime, own: OwnObjects) {
    this.#calls = calls;
    this.#boot = boot;
    this.#own = own;
  }

  nextId(kind: ObjectKind, after: number): number | undefined {
    try {
      let id = nextObjectId(kind, after);
      while (id !== undefined && this.#own.isOwn(kind, id)) id = nextObjectId(kind, id);
      return id;
    } catch (error) {
      throw idRefusal(error, kind);
    }
  }

  holdById(kind: ObjectKind, id: number): HeldObject {
    if (this.#own.isOwn(kind, id)) throw notFound(kind, id);
    if (kind === 'map' && this.#own.unused.find(id) !== undefined) throw notOpened(id);
    return describeHeld(kind, this.#openById(kind, id), this.#boot);
  }

  holdPinned(pin: Fd, known: KnownObjects = nothingKnown): HeldObject {
    const fd = attempting({ attempt: 'get', path: pin.what }, () => this.#open(pin));
    return this.#describe(
      fd,
      () => new PinfoldError('not_a_pin', { detail: `${pin.what} holds no BPF object.` }),
      known,
    );
  }

  holdFromProcess(source: ProcessSource): HeldObject {
    const fd = duplicateFromProcess(this.#calls, source);
    const held = this.#describe(fd, () => notPinnable(source, 'no BPF object'));
    if (held.kind !== 'btf') return held;
    held[Symbol.dispose]();
    throw notPinnable(source, 'a BTF object, which the kernel cannot pin');
  }

  pin(object: HeldObject, { directory, name }: Place): void {
    const path = directory === AT_FDCWD ? name : `${directory.procPath}/${name}`;
    attempting({ attempt: 'pin', path: name, details: { kind: object.kind, id: object.id } }, () =>
      pinObject(object.fd, path),
    );
  }

  describe(kind: ObjectKind, id: number): Pick<HeldObject, 'info' | 'fingerprint'> | undefined {
    const unopened = kind === 'map' ? this.#own.unused.find(id) : undefined;
    if (unopened !== undefined) {
      const info = shownMapInfo(unopened);
      return { info, fingerprint: fingerprintOf(info) };
    }
    if (this.#own.isOwn(kind, id)) return undefined;
    try {
      // Not asked once more whether it is in use: its last user may just have gone, and that is no failure.
      using held = describeHeld(kind, this.#openById(kind, id), this.#boot);
      return { info: held.info, fingerprint: held.fingerprint };
    } catch (error) {
      if (error instanceof PinfoldError && error.code === 'object_not_found') return undefined;
      throw error;
    }
  }

  isOwn(kind: ObjectKind, id: number): boolean {
    return this.#own.isOwn(kind, id);
  }

  #openById(kind: ObjectKind, id: number): Fd {
    try {
      return openObjectById(kind, id, this.#calls.fds);
    } catch (error) {
      // A link has its id a moment before it is settled, and may still come to nothing (bpf_link_by_id).
      if (isSystemCallError(error, 'ENOENT', 'EAGAIN')) throw notFound(kind, id, error);
      throw idRefusal(error, kind);
    }
  }

  /**
   * A read-only superblock gives maps and programs to those who only read; links have no such access
   * (EINVAL).
   */
  #open(pin: Fd): Fd {
    try {
      return getObject(pin.procPath, 'read-write', this.#calls.fds);
    } catch (error) {
      if (!isSystemCallError(error, 'EROFS')) throw error;
      try {
        return getObject(pin.procPath, 'read-only', this.#calls.fds);
      } catch (again) {
        throw isSystemCallError(again, 'EINVAL') ? error : again;
      }
    }
  }

  /** What an open descriptor is on; closes it where it is on no object. */
  #describe(fd: Fd, notAnObject: () => PinfoldError, known: KnownObjects = nothingKnown): HeldObject {
    let kind: ObjectKind | undefined;
    let found: HeldObject | undefined;
    try {
      kind = kindOf(fd);
      if (kind === undefined) throw notAnObject();
      if (known.holdsAny) found = known.find(kind, objectIdOf(fd));
    } catch (error) {
      fd[Symbol.dispose]();
      throw error;
    }
    if (found === undefined) return describeHeld(kind, fd, this.#boot);
    fd[Symbol.dispose]();
    return found;
  }
}

function notFound(kind: ObjectKind, id: number, cause?: unknown): PinfoldError {
  return new PinfoldError('object_not_found', { detail: `There is no ${kind} ${id}.`, kind, id }, cause);
}

function notOpened(id: number): PinfoldError {
  const detail =
    `Map ${id} is not opened: ${whyUnopened}. ` +
    'Nothing is in it: the kernel emptied it when its last user went.';
  return new PinfoldError('not_readable', { detail, kind: 'map', id, map_type: 'prog_array' });
}

function notPinnable(source: ProcessSource, what: string): PinfoldError {
  const detail = `Descriptor ${source.fd} of process ${source.pid} is on ${what}.`;
  return new PinfoldError('not_pinnable', { detail, pid: source.pid, fd: source.fd });
}

/** A refusal to work with ids at all. */
function idRefusal(error: unknown, kind: ObjectKind): unknown {
  if (isSystemCallError(error, 'EMFILE', 'ENFILE', 'ENOMEM'))
    return refusal(error, { attempt: 'get', path: kind });
  if (!isSystemCallError(error, 'EPERM')) return error;
  const detail = `A ${kind} cannot be reached by its id; that needs CAP_SYS_ADMIN.`;
  const { syscall, errno } = error;
  return new PinfoldError('permission_denied', { detail, kind, syscall, errno }, error);
}
