import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import type { Json } from '../../model/json.ts';
import { aType } from '../../model/map-rule/complaints.ts';
import type { EntryChoice } from '../../model/schema/entry.ts';
import type { EntryInput } from '../../model/schema/map-specification.ts';
import { type BtfFinder, type EntryForm, entryForm } from '../entries/write/entry-form.ts';
import { parseHex } from '../entries/write/hex.ts';
import type { Editing } from './edit-types.ts';
import { type GivenReference, parseMeaning, parseSocket, referenceIn } from './reference-input.ts';

/** An entry as the kernel takes it, but for what is told by an id and must become a descriptor. */
export interface ParsedEntry {
  /** Undefined for maps without keys. */
  readonly key: Buffer | undefined;
  /** The bytes as the system call copies them; of all CPUs together. */
  readonly value: Buffer;
  readonly reference?: GivenReference;
}

/** Reads what people write of one map's entries. */
export interface EntryParser {
  readonly editing: Editing;
  /** @throws PinfoldError invalid_input, its pointers within `pointer` */
  key(json: unknown, pointer: string): Buffer | undefined;
  /** The bytes of a key from their digits. @throws PinfoldError invalid_input, its pointer `pointer` */
  keyOfDigits(hex: string, pointer: string): Buffer;
  /** @throws PinfoldError invalid_input, its pointers within `pointer` */
  value(input: Pick<EntryInput, 'value' | 'values'>, pointer: string): Omit<ParsedEntry, 'key'>;
}

/**
 * Compiles how entries of a map are read from JSON: in the form in which they are shown.
 *
 * @throws PinfoldError invalid_input for a view that does not fit, not_readable where the BTF makes no sense
 */
export function entryParser(editing: Editing, choice: EntryChoice, findBtf: BtfFinder): EntryParser {
  const { shape, rule } = editing;
  const form = entryForm(shape, choice, findBtf);
  return {
    editing,
    key: (json, pointer) => {
      if (rule.isKeyless === true) return noKey(shape.info.type, json, pointer);
      if (rule.owner !== undefined) throw ownerWanted(editing);
      if (json === undefined) throw wrong(pointer, 'a key is wanted');
      return within(pointer, () => form.parseKey(parseGiven(json, pointer)));
    },
    keyOfDigits: (hex, pointer) => {
      if (rule.owner !== undefined) throw ownerWanted(editing);
      return within(pointer, () => parseHex(hex, shape.keySize));
    },
    value: (input, pointer) => {
      const { cpuStride } = shape;
      if (cpuStride !== undefined) {
        return { value: cpuValues(editing, form, { input, stride: cpuStride, pointer }) };
      }
      if (input.values !== undefined) throw wrong(`${pointer}/values`, 'the map is not per-CPU');
      const json = given(input.value, pointer);
      return within(`${pointer}/value`, () => oneValue(editing, form, json));
    },
  };
}

function oneValue({ shape, rule }: Editing, form: EntryForm, json: Json): Omit<ParsedEntry, 'key'> {
  const { reference: slot } = rule;
  if (slot?.kind === 'socket') {
    return { value: Buffer.alloc(shape.wireSize), reference: parseSocket(json) };
  }
  const { meaning, wireSize } = shape;
  if (form.parseValue === undefined && meaning !== undefined && meaning !== 'cookie') {
    return parseMeaning(meaning, wireSize, json);
  }
  if (form.parseValue === undefined) throw new TypeError(`${form.format} reads no values`);
  const value = form.parseValue(json);
  const reference = slot === undefined ? undefined : referenceIn(value, slot);
  return { value, ...(reference === undefined ? {} : { reference }) };
}

/** The values of all CPUs: each its own, or one for all of them. */
function cpuValues(
  { shape: { wireSize, cpus, info } }: Editing,
  form: EntryForm,
  from: {
    readonly input: Pick<EntryInput, 'value' | 'values'>;
    readonly stride: number;
    readonly pointer: string;
  },
): Buffer {
  const { input, stride, pointer } = from;
  const bytes = Buffer.alloc(wireSize);
  const put = (cpu: number, json: Json, where: string): void => {
    within(where, () => form.parseValue?.(json).copy(bytes, cpu * stride, 0, info.value_size));
  };
  const { values } = input;
  if (values === undefined) {
    const json = given(input.value, pointer);
    for (let cpu = 0; cpu < cpus; cpu++) put(cpu, json, `${pointer}/value`);
    return bytes;
  }
  if (input.value !== undefined) throw wrong(`${pointer}/value`, 'value and values exclude each other');
  const told = new Set(values.map(({ cpu }) => cpu));
  if (told.size !== cpus || values.length !== cpus || values.some(({ cpu }) => cpu >= cpus)) {
    throw wrong(`${pointer}/values`, `each of the ${cpus} possible CPUs wants one value, from cpu 0 on`);
  }
  for (const [index, { cpu, value }] of values.entries()) {
    put(cpu, given(value, pointer), `${pointer}/values/${index}/value`);
  }
  return bytes;
}

function given(json: unknown, pointer: string): Json {
  return parseGiven(json, `${pointer}/value`);
}

/** What JSON.parse has made: schemas leave it open, because the map decides what it is. */
function parseGiven(json: unknown, pointer: string): Json {
  if (json === undefined) throw wrong(pointer, 'a value is wanted');
  return json as Json;
}

/** Numbers of descriptors are those of this process: nobody else may name them. */
function ownerWanted({ shape: { info }, rule }: Editing): PinfoldError {
  const detail =
    `Entries of map ${info.id} (${info.type}) are found by a descriptor of a ${rule.owner}: ` +
    'write or remove them one at a time, with ?key= naming it.';
  return new PinfoldError('not_editable', { detail, kind: 'map', id: info.id, map_type: info.type });
}

function noKey(type: string, json: unknown, pointer: string): undefined {
  if (json !== undefined) throw wrong(pointer, `entries of ${aType(type)} have no keys`);
  return undefined;
}

/** Runs a parser; the pointers of its refusal are then within `pointer`. */
export function within<Result>(pointer: string, parse: () => Result): Result {
  try {
    return parse();
  } catch (error) {
    if (!isPinfoldError(error, 'invalid_input')) throw error;
    const errors = error.details.errors ?? [{ pointer: '', detail: error.message }];
    throw new PinfoldError('invalid_input', {
      ...error.details,
      detail: `The request is not valid: ${pointer}: ${error.message}`,
      errors: errors.map((each) => ({ ...each, pointer: `${pointer}${each.pointer}` })),
    });
  }
}

function wrong(pointer: string, detail: string): PinfoldError {
  return new PinfoldError('invalid_input', {
    detail: `The request is not valid: ${pointer}: ${detail}.`,
    errors: [{ pointer, detail }],
  });
}
