import { assertEditable, type Editing, editingOf } from '../../kernel/edit/edit-types.ts';
import { type EditMode, tryFreeze } from '../../kernel/edit/elements.ts';
import { type EntryParser, entryParser } from '../../kernel/edit/entry-input.ts';
import { parseOwner } from '../../kernel/edit/owner-key.ts';
import { editRefusal } from '../../kernel/edit/refusal.ts';
import type { HeldObject } from '../../kernel/kernel.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import type { Hazard } from '../../model/hazard.ts';
import type { Json } from '../../model/json.ts';
import type { EntryChoice } from '../../model/schema/entry.ts';
import type { EntryInput } from '../../model/schema/map-specification.ts';
import type { ChangeContext } from '../agent.ts';
import { btfFinder } from '../dump/reading.ts';
import { matchesEtag } from '../etag.ts';
import { currentValue } from './displaced.ts';
import { type Edit, type EditBench, editOne, foreseeLoss } from './edit-one.ts';
import { etagOfValue } from './etag.ts';
import { EditJournal, type JournalParts } from './journal.ts';
import { type HeldKey, lastingKey, ownerKey } from './owner.ts';

/** Which entry of which map. */
export interface EntryAddress {
  readonly mapId: number;
  readonly choice: EntryChoice;
  readonly key: { readonly hex: string } | { readonly json: Json };
}

/** One thing that would be done to a map. */
export interface EditStep {
  readonly action: string;
  readonly detail: string;
  readonly hazards: readonly Hazard[];
}

/** What a change of a map came to. */
export interface EditResult {
  /** Undefined for a dry run, and where nothing had to change. */
  readonly operationId: string | undefined;
  /** Whether there was no such entry before, as far as the kernel tells. */
  readonly created: boolean;
  readonly key: Buffer | undefined;
  readonly plan: readonly EditStep[] | undefined;
}

/** Changes what is in maps, one entry at a time; each call is one critical section on this thread. */
export class MapEdits {
  readonly #parts: JournalParts;
  readonly #journal: EditJournal;

  constructor(parts: JournalParts) {
    this.#parts = parts;
    this.#journal = new EditJournal(parts);
  }

  /** Writes one entry. @throws PinfoldError precondition_failed, hazard, map_frozen, map_full, … */
  put(
    address: EntryAddress,
    body: Pick<EntryInput, 'value' | 'values'>,
    asked: EditMode,
    context: ChangeContext,
  ): EditResult {
    return this.#journal.report('entry_put', () => {
      using map = this.hold(address.mapId);
      const parser = this.parserOf(map, address.choice);
      assertEditable(parser.editing, 'put');
      using named = this.#keyOf(parser, address);
      const { bytes: key } = named;
      const wanted = modeOf(asked, context);
      const given = parser.value(body, '/body');
      const bench = this.#benchOf(map, parser, context);
      const before = currentValue(map.fd, parser.editing, key);
      const created = before === undefined;
      const result = asPrecondition(context, () => {
        checkTag(context.ifMatch, before);
        const mode = kernelMode(parser.editing, wanted, created);
        return this.#carryOut(bench, { action: 'put', key, mode, ...given }, { context, created });
      });
      return named.isLasting ? result : { ...result, key: undefined };
    });
  }

  /** Removes one entry. @throws PinfoldError entry_not_found, precondition_failed, hazard, … */
  remove(address: EntryAddress, context: ChangeContext): EditResult {
    return this.#journal.report('entry_delete', () => {
      using map = this.hold(address.mapId);
      const parser = this.parserOf(map, address.choice);
      assertEditable(parser.editing, 'remove');
      using named = this.#keyOf(parser, address);
      const { bytes: key } = named;
      const bench = this.#benchOf(map, parser, context);
      const before = currentValue(map.fd, parser.editing, key);
      if (context.createOnly && before !== undefined) throw notDone('there is such an entry');
      checkTag(context.ifMatch, before);
      return this.#carryOut(bench, { action: 'remove', key }, { context, created: false });
    });
  }

  /** Closes a map to writes from user space, for good. Of a frozen one nothing has to be changed. */
  freeze(mapId: number, context: ChangeContext): EditResult {
    return this.#journal.report('freeze', () => {
      using map = this.hold(mapId);
      const { editing } = this.parserOf(map, { format: 'raw' });
      const { info } = editing.shape;
      const nothing = { operationId: undefined, created: false, key: undefined, plan: undefined };
      if (context.dryRun) {
        const detail = info.frozen === true ? 'it is frozen already' : 'close it to writes from user space';
        return { ...nothing, plan: [{ action: 'freeze', detail, hazards: [] }] };
      }
      if (info.frozen === true) return nothing;
      const event = { type: 'map.frozen', after: { frozen: true } } as const;
      const operationId = this.#journal.run({ kind: 'freeze', info, context }, event, () => {
        const errno = tryFreeze(map.fd);
        if (errno !== undefined) throw editRefusal(editing, 'freeze', errno);
      });
      return { ...nothing, operationId };
    });
  }

  /** Opens a map to change it. @throws PinfoldError read_only, not_supported, object_not_found */
  hold(mapId: number): HeldObject {
    const { kernel, isReadOnly, usesIds } = this.#parts.environment;
    if (isReadOnly) {
      const detail = 'This agent runs with --read-only and changes nothing.';
      throw new PinfoldError('read_only', { detail });
    }
    if (!usesIds) {
      const detail = 'The agent runs with --pins-only, and a map is changed by its id.';
      throw new PinfoldError('not_supported', { detail });
    }
    return kernel.objects.holdById('map', mapId);
  }

  /** How entries of a map are understood. @throws PinfoldError not_supported, invalid_input, not_readable */
  parserOf({ info }: HeldObject, choice: EntryChoice): EntryParser {
    if (info.kind !== 'map') throw new TypeError('a map was held, and something else came');
    const { kernel } = this.#parts.environment;
    return entryParser(editingOf(info, kernel.facts.cpus.possible), choice, btfFinder(kernel.fds));
  }

  #keyOf(parser: EntryParser, address: EntryAddress): HeldKey {
    const { owner } = parser.editing.rule;
    if (owner === undefined || 'hex' in address.key) return lastingKey(keyOf(parser, address));
    return ownerKey(this.#parts.environment.kernel, parseOwner(owner, address.key.json));
  }

  #benchOf(map: HeldObject, { editing }: EntryParser, context: ChangeContext): EditBench {
    return { kernel: this.#parts.environment.kernel, map, editing, acceptance: context };
  }

  #carryOut(
    bench: EditBench,
    edit: Edit,
    { context, created }: { readonly context: ChangeContext; readonly created: boolean },
  ): EditResult {
    const { info } = bench.editing.shape;
    const { key } = edit;
    if (context.dryRun) {
      return { operationId: undefined, created, key, plan: [foresee(bench, edit, created)] };
    }
    const kind = edit.action === 'put' ? 'entry_put' : 'entry_delete';
    const after = { action: edit.action === 'put' ? 'put' : 'delete', entries: 1 };
    const operationId = this.#journal.run({ kind, info, context }, { type: 'entry.changed', after }, () =>
      editOne(bench, edit),
    );
    return { operationId, created, key, plan: undefined };
  }
}

/** What the API asks of it. */
export type EntryEdits = Pick<MapEdits, 'put' | 'remove' | 'freeze'>;

function foresee(bench: EditBench, edit: Edit, created: boolean): EditStep {
  const loss = foreseeLoss(bench, edit);
  const verb = edit.action === 'remove' ? 'remove the entry' : created ? 'add an entry' : 'write the entry';
  const detail = loss === undefined ? verb : `${verb} (${loss})`;
  return { action: edit.action, detail, hazards: loss === undefined ? [] : ['last_reference'] };
}

/** @throws PinfoldError invalid_input, not_editable for maps without keys */
function keyOf(parser: EntryParser, { key }: EntryAddress): Buffer {
  const { shape, rule } = parser.editing;
  if (rule.isKeyless === true) {
    const { id, type } = shape.info;
    const detail = `Entries of map ${id} (${type}) have no keys: add them with a batch.`;
    throw new PinfoldError('not_editable', { detail, kind: 'map', id, map_type: type });
  }
  if ('hex' in key) return parser.keyOfDigits(key.hex, '/params/hex');
  const parsed = parser.key(key.json, '/query/key');
  if (parsed === undefined) throw new TypeError('a map with keys was asked for one without');
  return parsed;
}

/** `If-None-Match: *` and `If-Match: *` are what the kernel itself can promise. */
function modeOf(asked: EditMode, { createOnly, ifMatch }: ChangeContext): EditMode {
  const wanted = createOnly ? 'create' : ifMatch === undefined ? asked : 'update';
  if (asked === 'any' || asked === wanted) return wanted;
  throw new PinfoldError('invalid_input', {
    detail: `The mode "${asked}" contradicts the headers of the request.`,
    errors: [{ pointer: '/body/mode', detail: 'contradicts If-Match or If-None-Match' }],
  });
}

/** Types that know no modes are looked at instead, which is not one step with the change. */
function kernelMode(editing: Editing, mode: EditMode, isNew: boolean): EditMode {
  if (editing.rule.modes !== false || mode === 'any') return mode;
  if (mode === 'create' && !isNew) throw editRefusal(editing, 'put', 'EEXIST');
  if (mode === 'update' && isNew) throw editRefusal(editing, 'put', 'ENOENT');
  return 'any';
}

/** @throws PinfoldError precondition_failed where the value is not the one the caller saw */
function checkTag(ifMatch: string | undefined, before: Buffer | undefined): void {
  if (ifMatch === undefined) return;
  if (before !== undefined && matchesEtag(ifMatch, etagOfValue(before))) return;
  throw notDone(before === undefined ? 'there is no such entry' : 'its value is not what If-Match says');
}

function notDone(why: string): PinfoldError {
  return new PinfoldError('precondition_failed', { detail: `Nothing was done: ${why}.` });
}

/** What the kernel refuses because of a header is that header's failure. */
function asPrecondition<Result>({ createOnly, ifMatch }: ChangeContext, change: () => Result): Result {
  try {
    return change();
  } catch (error) {
    const isCondition =
      (createOnly && isPinfoldError(error, 'entry_exists')) ||
      (ifMatch !== undefined && isPinfoldError(error, 'entry_not_found'));
    if (!isCondition) throw error;
    throw new PinfoldError('precondition_failed', error.details, error);
  }
}
