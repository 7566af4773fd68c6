import { openObjectById } from '../../kernel/bpf/objects.ts';
import { editingOf } from '../../kernel/edit/edit-types.ts';
import { tryFreeze } from '../../kernel/edit/elements.ts';
import { entryParser } from '../../kernel/edit/entry-input.ts';
import { editRefusal } from '../../kernel/edit/refusal.ts';
import type { HeldObject } from '../../kernel/kernel.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { aType } from '../../model/map-rule/complaints.ts';
import { type PinPath, pathMembers } from '../../model/path.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { EntryInput, MapSpecification, NewPin } from '../../model/schema/map-specification.ts';
import type { ChangeContext, Changes, PlanStep } from '../agent.ts';
import type { DumpHolds } from '../dump/dump-holds.ts';
import { btfFinder } from '../dump/reading.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import { requestedPath } from '../operation/requested-path.ts';
import { quote } from '../operation/sentence.ts';
import { Applier } from './applier.ts';
import { openMap } from './open-map.ts';
import { Slices } from './slices.ts';

/** What making maps stands on. */
export interface CreationParts {
  readonly environment: OperationEnvironment;
  readonly changes: Pick<Changes, 'pin'>;
  /** Lists the map while it is filled and pinned. */
  readonly holds: DumpHolds;
}

/** What making a map came to. */
export interface CreationResult {
  /** The pin's operation; undefined for a dry run. */
  readonly operationId: string | undefined;
  readonly mapId: number;
  readonly fingerprint: string;
  readonly plan: readonly PlanStep[] | undefined;
  /** What was done as it was asked for, and may not have been meant: sentences for people. */
  readonly notices: readonly string[];
}

/** Makes maps, always with a pin. */
export class MapCreation {
  readonly #parts: CreationParts;

  constructor(parts: CreationParts) {
    this.#parts = parts;
  }

  /**
   * Makes a map, fills and freezes it, and pins it as `PUT /v1/pins/{path}` does.
   *
   * Until its name appears only a descriptor of this process holds the map: killed at any moment before, it
   * leaves nothing, and after, a map that is whole. A dry run makes the map too, to hear what the kernel
   * says, and lets it go again. `isReplacing` puts it in the place of another pin, whose hazards apply.
   *
   * @throws PinfoldError invalid_input with pointers, pin_exists, parent_not_found, out_of_memory, …
   */
  async create(spec: MapSpecification, context: ChangeContext, isReplacing = false): Promise<CreationResult> {
    const { environment, holds } = this.#parts;
    assertMayCreate(environment);
    const { pin } = spec;
    if (pin === undefined) throw noPin();
    const path = requestedPath(pin, 'path', '/body/pin');
    const map = openMap(environment, spec);
    using _listed = holds.add(map);
    if (map.info.kind !== 'map') throw new TypeError('a map was made, and something else came');
    await this.#complete(map, map.info, spec);
    const result = await this.#pin(map, { pin, path, isReplacing }, context);
    const made = { mapId: map.id, fingerprint: map.fingerprint, notices: noticesOf(spec) };
    if (result.plan === undefined) return { ...made, operationId: result.operationId, plan: undefined };
    return { ...made, operationId: undefined, plan: [...stepsOf(spec, path), ...result.plan] };
  }

  /** Fills it and freezes it, while nobody else has it. */
  async #complete(map: HeldObject, info: MapInfo, spec: MapSpecification): Promise<void> {
    const { entries = [], freeze = false } = spec;
    if (entries.length === 0 && !freeze) return;
    const { kernel } = this.#parts.environment;
    // The flag is the descriptor's, not the map's (bpf_map_flags_retain_permanent): one by its id can write.
    const isReadOnly = spec.flags?.includes('rdonly') === true;
    using writable = isReadOnly ? openObjectById('map', map.id, kernel.fds) : undefined;
    const target = writable === undefined ? map : { ...map, fd: writable };
    if (entries.length > 0) await this.#fill(target, info, { ...spec, entries });
    if (!freeze) return;
    const errno = tryFreeze(target.fd);
    if (errno !== undefined) throw editRefusal(editingOf(info, 1), 'freeze', errno);
  }

  async #fill(
    map: HeldObject,
    info: MapInfo,
    spec: MapSpecification & { readonly entries: readonly EntryInput[] },
  ): Promise<void> {
    const { kernel, clock } = this.#parts.environment;
    const { format, key_as: keyAs, value_as: valueAs } = spec;
    const choice = {
      ...(format === undefined ? {} : { format }),
      ...(keyAs === undefined ? {} : { keyAs }),
      ...(valueAs === undefined ? {} : { valueAs }),
    };
    const editing = editingOf(info, kernel.facts.cpus.possible);
    const parser = ofBody(() => entryParser(editing, choice, btfFinder(kernel.fds)));
    const acceptance = { accept: new Set<string>(), force: false };
    const applier = new Applier({ kernel, map, editing, acceptance }, { mode: 'any', isDry: false });
    const slices = new Slices(clock);
    for (const [index, { key: json, ...given }] of spec.entries.entries()) {
      const pointer = `/body/entries/${index}`;
      const key = parser.key(json, `${pointer}/key`);
      const { value, reference } = parser.value(given, pointer);
      applier.put(key, value, reference);
      await slices.pause();
    }
    applier.flush();
    const [failure] = applier.failures;
    if (failure === undefined) return;
    const { index, detail } = failure;
    throw new PinfoldError('invalid_input', {
      detail: `Entry ${index} cannot be put into the new map: ${detail}`,
      errors: [{ pointer: `/body/entries/${index}`, detail }],
    });
  }

  async #pin(
    map: HeldObject,
    pinned: { readonly pin: NewPin; readonly path: PinPath; readonly isReplacing: boolean },
    context: ChangeContext,
  ): ReturnType<Changes['pin']> {
    const { pin, path, isReplacing } = pinned;
    const { mount, path: _path, path_bytes: _bytes, ...wishes } = pin;
    const source = { pid: process.pid, fd: map.fd.number };
    // A new map is never what is there already: without this, another pin would be a mere conflict of names.
    const asked = { ...context, createOnly: false };
    try {
      const request = { ...wishes, source, replace: isReplacing };
      return await this.#parts.changes.pin(path, mount, request, asked);
    } catch (error) {
      throw isPinfoldError(error, 'pin_exists') ? isTaken(path, error) : error;
    }
  }
}

/** What the API asks of it. */
export type Creation = Pick<MapCreation, 'create'>;

function stepsOf({ name = '', type, entries = [], freeze }: MapSpecification, path: PinPath): PlanStep[] {
  const shown = { ...pathMembers(path), hazards: [] };
  const named = name === '' ? ' without a name' : ` "${name}"`;
  const made = `make ${aType(type)}${named}; the kernel was asked, and has made such a map for a moment`;
  const filled = `put ${entries.length} entries into it; the kernel took them`;
  const empty = entries.length === 0 ? '; it stays empty for good' : '';
  const closed = `close it to writes from user space${empty}`;
  return [
    { action: 'create', detail: made, ...shown },
    ...(entries.length === 0 ? [] : [{ action: 'fill', detail: filled, ...shown }]),
    ...(freeze === true ? [{ action: 'freeze', detail: closed, ...shown }] : []),
  ];
}

function noticesOf({ entries = [], freeze, about }: MapSpecification): readonly string[] {
  if (freeze !== true) return [];
  if (entries.length === 0) return ['It is frozen and empty, for good: no entries were given.'];
  const missing = about?.not_recoverable.find(({ member }) => member === 'entries');
  if (missing === undefined) return [];
  return ['It is frozen, for good, without the entries that its specification says it lacks.'];
}

function assertMayCreate({ isReadOnly, usesIds }: OperationEnvironment): void {
  if (isReadOnly) {
    const detail = 'This agent runs with --read-only and changes nothing.';
    throw new PinfoldError('read_only', { detail });
  }
  if (usesIds) return;
  const detail = 'The agent runs with --pins-only, and shows a map that it has made by its id.';
  throw new PinfoldError('not_supported', { detail });
}

/** The source of the pin is our own descriptor, of which whoever asked knows nothing. */
function isTaken(path: PinPath, cause: PinfoldError): PinfoldError {
  const { requested: _, ...details } = cause.details;
  const detail =
    `The map is not made: there is a pin at ${quote(path)} already. ` +
    'Choose another path, or remove that pin first.';
  return new PinfoldError('pin_exists', { ...details, detail }, cause);
}

function noPin(): PinfoldError {
  const detail = 'is wanted: a map that nothing holds is gone';
  return new PinfoldError('invalid_input', {
    detail: `The map cannot be made like this: pin ${detail}.`,
    errors: [{ pointer: '/body/pin', detail }],
  });
}

/** What says how entries are written stands in the query elsewhere, and here in the body. */
function ofBody<Result>(parse: () => Result): Result {
  try {
    return parse();
  } catch (error) {
    if (!isPinfoldError(error, 'invalid_input')) throw error;
    const errors = (error.details.errors ?? []).map(({ pointer, detail }) => ({
      pointer: pointer.replace(/^\/query\//, '/body/'),
      detail,
    }));
    throw new PinfoldError(
      'invalid_input',
      { ...error.details, ...(errors.length === 0 ? {} : { errors }) },
      error,
    );
  }
}
