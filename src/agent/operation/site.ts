import { attempting } from '../../kernel/bpffs/refusal.ts';
import type { BpffsRoot, InodeFacts, Kernel, OpenName } from '../../kernel/kernel.ts';
import { type Place, rename } from '../../kernel/sys/calls.ts';
import type { Fd } from '../../kernel/sys/fd.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { isWithin, nameOf, type PinPath, parentOf } from '../../model/path.ts';
import type { MountChoice } from '../agent.ts';
import type { Attributes } from '../journal/plan.ts';
import type { OperationEnvironment } from './environment.ts';
import { Sight } from './sight.ts';
import type { ChangeSink, PinState } from './sink.ts';
import { type Parent, Turn } from './turn.ts';

/**
 * One instance, open for the operations of a group: its root, its staging directory, and the few ways names
 * are changed in it.
 *
 * Paths are resolved beneath the root and through no link. Anybody may move what is on the way, so a
 * directory once resolved stays the one until the operation has ended: what was taken from it is given back
 * to it, wherever it is then. Entries of the staging directory (slots) are names only this user can reach.
 */
export class Site implements Disposable {
  readonly kernel: Kernel;
  readonly sink: ChangeSink;
  readonly root: BpffsRoot;
  readonly instance: string;
  readonly #staging: Fd | undefined;
  readonly #parents = new Map<PinPath | '', Parent>();
  #turn = new Turn();

  private constructor(environment: OperationEnvironment, root: BpffsRoot, staging: Fd | undefined) {
    this.kernel = environment.kernel;
    this.sink = environment.sink;
    this.root = root;
    this.#staging = staging;
    this.instance = instanceOf(environment.kernel, root, staging);
  }

  /**
   * Opens the instance a request means. With `forChange` it must be writable, and the staging directory is
   * made if it is not there: its inode is the instance's marker. Where it is there, no other agent changes
   * the instance until this is closed, so that none is counted as a holder of what it only looks at.
   *
   * @throws PinfoldError mount_not_found, mount_unavailable, read_only, staging_unsafe, overloaded
   */
  static open(environment: OperationEnvironment, mount: MountChoice, forChange: boolean): Site {
    const { kernel, mounts } = environment;
    const root = kernel.bpffs.openRoot(mounts.findMount(mount));
    let staging: Fd | undefined;
    try {
      if (root.readOnly) throw readOnly(root.mount);
      staging = kernel.bpffs.openStaging(root, forChange);
      if (staging !== undefined) kernel.bpffs.lockStaging(staging);
      return new Site(environment, root, staging);
    } catch (error) {
      staging?.[Symbol.dispose]();
      root[Symbol.dispose]();
      throw error;
    }
  }

  get mount(): string {
    return this.root.mount;
  }

  /** Another operation is at work: what it touches is its own from now on. */
  take(turn: Turn): void {
    this.#turn = turn;
  }

  /** Where a slot is. */
  slot(name: string): Place {
    if (this.#staging === undefined) throw new TypeError('a site opened for looking has no slots');
    return { directory: this.#staging, name };
  }

  /**
   * Lends the place that a path is, its parent resolved, to change names there: it must then still lead there
   * when the operation ends. @throws PinfoldError parent_not_found, symlink, …
   */
  at<Result>(path: PinPath, use: (place: Place) => Result): Result {
    const parent = this.#parentOf(path);
    this.#turn.touch(parent);
    return use({ directory: parent.fd, name: nameOf(path) });
  }

  /** The same place only to see what is there. @throws as `at` */
  lookAt<Result>(path: PinPath, use: (place: Place) => Result): Result {
    return use({ directory: this.#parentOf(path).fd, name: nameOf(path) });
  }

  /** A directory was removed: another of its name is not it. */
  forget(directory: PinPath): void {
    for (const [path, { fd }] of this.#parents) {
      if (path === '' || !isWithin(path, directory)) continue;
      this.#parents.delete(path);
      fd[Symbol.dispose]();
    }
  }

  /** A directory as it was found while this has been open; undefined where nobody has looked. */
  findDirectory(path: PinPath): InodeFacts | undefined {
    return this.#parents.get(path)?.facts;
  }

  #parentOf(path: PinPath): Parent {
    const directory = parentOf(path);
    const known = this.#parents.get(directory);
    if (known !== undefined) return known;
    const { bpffs } = this.kernel;
    const fd = bpffs.openParent(this.root, path);
    try {
      const parent = { fd, facts: bpffs.stat(fd), of: path };
      this.#parents.set(directory, parent);
      return parent;
    } catch (error) {
      fd[Symbol.dispose]();
      throw error;
    }
  }

  /** The inode a name leads to now; undefined where there is none. */
  inodeAt(place: Place): InodeFacts | undefined {
    using found = this.kernel.bpffs.openName(this.root, place);
    return found === undefined ? undefined : factsOf(found);
  }

  /** The inode at a path; undefined where it or a directory on the way is missing. */
  inodeAtPath(path: PinPath): InodeFacts | undefined {
    try {
      return this.at(path, (place) => this.inodeAt(place));
    } catch (error) {
      if (isPinfoldError(error, 'parent_not_found')) return undefined;
      throw error;
    }
  }

  /** The same only to see whether it is there; undefined wherever it cannot be seen. */
  findInode(path: PinPath): InodeFacts | undefined {
    try {
      return this.lookAt(path, (place) => this.inodeAt(place));
    } catch (error) {
      if (isPinfoldError(error)) return undefined;
      throw error;
    }
  }

  /**
   * Gives a name to what has another; never takes one away. @throws PinfoldError pin_exists, pin_not_found, …
   */
  move(from: Place, to: Place, path: PinPath): void {
    attempting({ attempt: 'rename', path }, () => this.kernel.calls.renameat2(from, to, rename.NOREPLACE));
  }

  /** Swaps what two names lead to, in one step for every onlooker. @throws PinfoldError pin_not_found, … */
  exchange(one: Place, other: Place, path: PinPath): void {
    attempting({ attempt: 'rename', path }, () => this.kernel.calls.renameat2(one, other, rename.EXCHANGE));
  }

  /** Removes a slot's name. The inode, and with it the reference, goes when nothing else holds it. */
  unlinkSlot(name: string, path: PinPath): void {
    this.takeSlot(name)?.[Symbol.dispose]();
    attempting({ attempt: 'unpin', path }, () => this.kernel.calls.unlinkat(this.slot(name)));
  }

  /** Opens a slot's inode. @throws PinfoldError conflict where somebody has emptied the slot */
  openSlot(name: string): OpenName {
    const found = this.findSlot(name);
    if (found !== undefined) return found;
    throw new PinfoldError('conflict', {
      detail: `Somebody has removed ${name} from the staging directory.`,
    });
  }

  /** The same; undefined where the slot is empty. */
  findSlot(name: string): OpenName | undefined {
    return this.kernel.bpffs.openName(this.root, this.slot(name));
  }

  /** Keeps what a slot held open until it is taken, the slot's name is removed or the turn ends. */
  keepSlot(name: string, open: OpenName): void {
    this.#turn.keep(name, open);
  }

  /** What is kept of a slot, for the caller to close. */
  takeSlot(name: string): OpenName | undefined {
    return this.#turn.take(name);
  }

  /**
   * Sets what differs; the owner first, since chown(2) may clear bits of the mode. Answers what is then
   * there.
   */
  setAttributes(open: OpenName, wanted: Attributes): InodeFacts {
    const { bpffs } = this.kernel;
    const mustChown = open.uid !== wanted.uid || open.gid !== wanted.gid;
    if (mustChown) bpffs.chown(open.fd, wanted);
    if (mustChown || open.mode !== wanted.mode) bpffs.chmod(open.fd, wanted.mode);
    return mustChown || open.mode !== wanted.mode ? bpffs.stat(open.fd) : factsOf(open);
  }

  /** Looks anew whether what was changed can be seen. */
  look(): Sight {
    return new Sight(this.kernel.bpffs, this.root);
  }

  [Symbol.dispose](): void {
    this.#turn[Symbol.dispose]();
    for (const { fd } of this.#parents.values()) fd[Symbol.dispose]();
    this.#staging?.[Symbol.dispose]();
    this.root[Symbol.dispose]();
  }
}

/** As BpffsRoot.instance, without looking for the marker again where it is open already. */
function instanceOf(kernel: Kernel, root: BpffsRoot, staging: Fd | undefined): string {
  if (staging === undefined) return root.instance;
  return `${kernel.facts.bootId}/${root.mount}/${kernel.bpffs.stat(staging).inode}`;
}

/** Whether an inode is the one a state speaks of. The number alone is not enough: it is 32 bits and wraps. */
export function isInode(facts: InodeFacts | undefined, state: PinState | undefined): boolean {
  return (
    facts !== undefined &&
    state !== undefined &&
    facts.inode === state.inode.inode &&
    facts.mtimeNs === state.inode.mtimeNs
  );
}

/** The facts alone, without the descriptor they were read from. */
export function factsOf(open: InodeFacts): InodeFacts {
  const { inode, mtimeNs, ctimeNs, mode, uid, gid, links } = open;
  return { inode, mtimeNs, ctimeNs, mode, uid, gid, links };
}

function readOnly(mount: string): PinfoldError {
  return new PinfoldError('read_only', {
    detail: `The bpffs ${mount} is mounted read-only.`,
    errno: 'EROFS',
    mount,
  });
}
