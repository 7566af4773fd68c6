import type { Clock } from '../../model/clock.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import type { PinPath } from '../../model/path.ts';
import type { QuarantineDocument } from '../../model/schema/gc.ts';
import type { QuarantineRecord, QuarantineRecords } from '../../model/store.ts';
import type { ChangeContext, ChangeResult, MountChoice, Page, Slice } from '../agent.ts';
import type { ChangeRequest } from '../operation/request.ts';
import { isQuarantined } from './is-quarantined.ts';
import { discardRequest, restoreRequest } from './plan-quarantine.ts';
import { quarantineDocument } from './records.ts';

/** Which pins in quarantine a list is about. */
export interface QuarantineFilter {
  readonly mount: MountChoice;
  readonly prefix?: PinPath;
  /** The operation of the clean-up that took them. */
  readonly run?: string;
}

/** What the quarantine stands on. */
export interface QuarantineParts {
  readonly records: QuarantineRecords;
  readonly clock: Clock;
  readonly ask: (request: ChangeRequest) => Promise<ChangeResult>;
  readonly primaryMount: () => string | undefined;
}

/** The pins in quarantine, for whoever decides about them. */
export interface QuarantinedPins {
  /** In the order in which they came. @throws PinfoldError bad_cursor */
  list(filter: QuarantineFilter, slice: Slice): Page<QuarantineDocument>;
  /** @throws PinfoldError quarantine_not_found */
  get(id: string): QuarantineDocument;
  /** Does something with a pin; where it is not there, says so if it is in quarantine. */
  looking<Result>(path: PinPath, mount: MountChoice, look: () => Result): Result;
  /**
   * Gives a pin the name back that it had, and makes directories that are missing on the way.
   *
   * @throws PinfoldError quarantine_not_found; pin_exists, is_a_directory, symlink… where the name is taken
   */
  restore(id: string, context: ChangeContext): Promise<ChangeResult>;
  /** Removes a pin for good. @throws PinfoldError quarantine_not_found, hazard */
  discard(id: string, context: ChangeContext): Promise<ChangeResult>;
}

/** The quarantine of an agent: rows of the store, and operations on what they tell of. */
export class Quarantine implements QuarantinedPins {
  readonly #parts: QuarantineParts;

  constructor(parts: QuarantineParts) {
    this.#parts = parts;
  }

  list({ mount, prefix, run }: QuarantineFilter, slice: Slice): Page<QuarantineDocument> {
    const { records } = this.#parts;
    const filter = {
      ...(mount === undefined ? {} : { mount }),
      ...(run === undefined ? {} : { run }),
      ...(prefix === undefined ? {} : { path: prefix, within: true }),
    };
    const after = slice.after === undefined ? {} : { afterSeq: parsePosition(slice.after) };
    const rows = records.list({ ...filter, ...after, limit: slice.limit + 1 });
    const page = rows.slice(0, slice.limit);
    const next = rows.length > slice.limit ? String(page.at(-1)?.seq) : undefined;
    return { items: page.map(({ record }) => this.#show(record)), next, total: records.count(filter) };
  }

  get(id: string): QuarantineDocument {
    return this.#show(this.#find(id));
  }

  looking<Result>(path: PinPath, mount: MountChoice, look: () => Result): Result {
    try {
      return look();
    } catch (error) {
      const at = mount ?? this.#parts.primaryMount();
      const isMissing = isPinfoldError(error, 'pin_not_found') || isPinfoldError(error, 'parent_not_found');
      const kept = isMissing && at !== undefined ? this.#parts.records.findAt(at, path) : undefined;
      throw kept === undefined ? error : isQuarantined(path, kept.id);
    }
  }

  restore(id: string, context: ChangeContext): Promise<ChangeResult> {
    const record = this.#find(id);
    return this.#ask(record, restoreRequest(record, { mount: record.mount, context }));
  }

  discard(id: string, context: ChangeContext): Promise<ChangeResult> {
    const record = this.#find(id);
    return this.#ask(record, discardRequest(record, undefined, { mount: record.mount, context }));
  }

  /** What another hand has taken out of quarantine is not listed any longer than until somebody asks. */
  async #ask({ id }: QuarantineRecord, request: ChangeRequest): Promise<ChangeResult> {
    try {
      return await this.#parts.ask(request);
    } catch (error) {
      const isGone = isPinfoldError(error, 'quarantine_not_found') && !request.context.dryRun;
      if (isGone) this.#parts.records.remove(id);
      throw error;
    }
  }

  #find(id: string): QuarantineRecord {
    const record = this.#parts.records.find(id);
    if (record !== undefined) return record;
    throw new PinfoldError('quarantine_not_found', { detail: `No pin with the id ${id} is in quarantine.` });
  }

  #show(record: QuarantineRecord): QuarantineDocument {
    const { clock } = this.#parts;
    return quarantineDocument(record, { wallMs: clock.now().getTime(), boottimeMs: clock.bootMs() });
  }
}

function parsePosition(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new PinfoldError('bad_cursor');
}
