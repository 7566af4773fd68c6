import type { Bpffs, BpffsRoot } from '../../kernel/kernel.ts';
import { PinfoldError } from '../../model/error.ts';
import { type PinPath, parentOf, pathMembers } from '../../model/path.ts';
import { forPart } from './about.ts';
import { quote } from './sentence.ts';
import type { Parent, Turn } from './turn.ts';

/**
 * One look at whether what operations changed is where their requests said: the root is still seen, and each
 * path still leads to the directory it led to. However many ask, each place is looked at once.
 */
export class Sight {
  readonly #bpffs: Bpffs;
  readonly #root: BpffsRoot;
  readonly #verdicts = new Map<Parent | 'root', Verdict>();

  constructor(bpffs: Bpffs, root: BpffsRoot) {
    this.#bpffs = bpffs;
    this.#root = root;
  }

  /**
   * @param parents - with what of the request is about each
   * @throws PinfoldError mount_unavailable; conflict, symlink, crosses_mount, parent_not_found where
   * directories moved
   */
  assertSeen(parents: Turn['parents']): void {
    this.#assert('root', () => this.#bpffs.assertStillVisible(this.#root));
    for (const [parent, pointer] of parents)
      forPart(pointer, () => this.#assert(parent, () => this.#assertStays(parent)));
  }

  #assert(place: Parent | 'root', look: () => void): void {
    const verdict = this.#verdicts.get(place) ?? verdictOf(look);
    this.#verdicts.set(place, verdict);
    if (verdict !== 'seen') throw verdict.error;
  }

  /** One that has been removed was empty: nothing that was made can be in it. */
  #assertStays({ fd, facts, of }: Parent): void {
    const path = parentOf(of);
    // The root itself has just been looked at, and what the operation itself removed is closed.
    if (path === '' || !fd.isOpen) return;
    if (this.#bpffs.isStillThere(this.#root, { path, inode: facts.inode })) return;
    if (this.#bpffs.stat(fd).links > 0) throw whyMoved(this.#bpffs, this.#root, of);
  }
}

type Verdict = 'seen' | { readonly error: unknown };

function verdictOf(look: () => void): Verdict {
  try {
    look();
    return 'seen';
  } catch (error) {
    return { error };
  }
}

/** What is on the way now says more, where it is something that can be said. */
function whyMoved(bpffs: Bpffs, root: BpffsRoot, path: PinPath): unknown {
  try {
    bpffs.openParent(root, path)[Symbol.dispose]();
    return moved(path);
  } catch (error) {
    return error;
  }
}

function moved(path: PinPath): PinfoldError {
  const detail = `The directory of ${quote(path)} was moved by somebody else at the same time.`;
  return new PinfoldError('conflict', { detail, ...pathMembers(path) });
}
