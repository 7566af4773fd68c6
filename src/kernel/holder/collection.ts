import type {
  AttachmentFact,
  FileFact,
  FilesystemFact,
  HolderFacts,
  ObjectHoldFact,
  ObjectKey,
  OpenInodeFact,
  PinFact,
  UnavailableFact,
} from '../../model/holder/facts.ts';

/** The facts of one reading while they are gathered. */
export class Collection {
  readonly files: FileFact[] = [];
  readonly pins: PinFact[] = [];
  readonly openInodes: OpenInodeFact[] = [];
  readonly filesystems: FilesystemFact[] = [];
  readonly holds: ObjectHoldFact[] = [];
  readonly attachments: AttachmentFact[] = [];
  readonly unavailable: UnavailableFact[] = [];

  /** @param isWanted which objects' holders this reading is about */
  readonly #isWanted: (object: ObjectKey) => boolean;

  constructor(isWanted: (object: ObjectKey) => boolean) {
    this.#isWanted = isWanted;
  }

  isWanted(object: ObjectKey): boolean {
    return this.#isWanted(object);
  }

  lacks(what: string, reason: string): void {
    this.unavailable.push({ what, reason });
  }

  /** The same of what no later reading of this process will show either. */
  neverShows(what: string, reason: string): void {
    this.unavailable.push({ what, reason, isLasting: true });
  }

  facts(processes: HolderFacts['processes']): HolderFacts {
    const { files, pins, openInodes, filesystems, holds, attachments, unavailable } = this;
    return { processes, files, pins, openInodes, filesystems, holds, attachments, unavailable };
  }
}
