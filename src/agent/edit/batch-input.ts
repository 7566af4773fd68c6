import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { EntryParser } from '../../kernel/edit/entry-input.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { nestsDeeper } from '../../model/json.ts';
import { limits } from '../../model/limits.ts';
import { EntryOperation } from '../../model/schema/entry-batch.ts';
import type { Applier } from './applier.ts';
import type { Edit } from './edit-one.ts';
import type { Slices } from './slices.ts';

/** The lines of a batch, in one of three forms. */
export type BatchInput =
  | { readonly kind: 'operations'; readonly operations: readonly EntryOperation[] }
  | { readonly kind: 'lines'; readonly body: AsyncIterable<Buffer> }
  | { readonly kind: 'packed'; readonly body: AsyncIterable<Buffer>; readonly action: Edit['action'] };

/** What takes the lines in. */
export interface Intake {
  readonly parser: EntryParser;
  readonly applier: Applier;
  readonly slices: Slices;
}

/**
 * Reads a batch to its end and carries it out meanwhile. Of the body no more is in memory than a chunk and a
 * line: what is not carried out yet is not read on.
 *
 * @throws PinfoldError body_too_large; what reading the body throws where the client has gone
 */
export async function takeIn(input: BatchInput, intake: Intake): Promise<void> {
  switch (input.kind) {
    case 'operations':
      await takeOperations(input.operations, intake);
      break;
    case 'lines':
      await takeLines(bounded(input.body), intake);
      break;
    case 'packed':
      await takePacked(bounded(input.body), input.action, intake);
      break;
  }
  intake.applier.flush();
}

async function takeOperations(operations: readonly EntryOperation[], intake: Intake): Promise<void> {
  for (const [index, operation] of operations.entries()) {
    takeOne(operation, `/body/operations/${index}`, intake);
    await intake.slices.pause();
  }
}

async function takeLines(body: AsyncIterable<Buffer>, intake: Intake): Promise<void> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of body) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      takeLine(Buffer.concat([...rest, chunk.subarray(from, end)]), intake);
      rest = [];
      restBytes = 0;
      from = end + 1;
      await intake.slices.pause();
    }
    rest.push(chunk.subarray(from));
    restBytes += chunk.length - from;
    if (restBytes > limits.editLineBytesMax) {
      const detail = `A line of a batch has at most ${limits.editLineBytesMax} bytes.`;
      throw new PinfoldError('body_too_large', { detail });
    }
  }
  takeLine(Buffer.concat(rest), intake);
}

const newline = 0x0a;

/** The last line of a dump. */
const dumpEnd = Type.Object({ summary: Type.Object({}) }, { additionalProperties: false });

/** A dump ends with its summary, which is no entry; empty lines are none either. */
function takeLine(line: Buffer, intake: Intake): void {
  const text = line.toString('utf8').trim();
  if (text === '') return;
  let operation: unknown;
  try {
    operation = JSON.parse(text);
  } catch (error) {
    intake.applier.refuse(new PinfoldError('bad_json', { detail: 'The line is not JSON.' }, error));
    return;
  }
  if (nestsDeeper(operation, limits.jsonDepthMax)) {
    const detail = `The line has arrays and objects in each other, more than ${limits.jsonDepthMax} deep.`;
    intake.applier.refuse(new PinfoldError('invalid_input', { detail }));
    return;
  }
  if (Value.Check(dumpEnd, operation)) return;
  if (Value.Check(EntryOperation, operation)) {
    takeOne(operation, '', intake);
    return;
  }
  const detail = 'A line is {"op":"put","key":…,"value":…} or {"op":"delete","key":…}.';
  intake.applier.refuse(new PinfoldError('invalid_input', { detail }));
}

function takeOne(operation: EntryOperation, pointer: string, { parser, applier }: Intake): void {
  try {
    const { op = 'put', key: json, ...given } = operation;
    const key = parser.key(json, `${pointer}/key`);
    if (op === 'put') {
      const { value, reference } = parser.value(given, pointer);
      applier.put(key, value, reference);
    } else {
      applier.remove(keyToRemove(parser, key));
    }
  } catch (error) {
    if (!isPinfoldError(error, 'invalid_input') && !isPinfoldError(error, 'not_editable')) throw error;
    applier.refuse(error);
  }
}

/** @throws PinfoldError not_editable */
function keyToRemove({ editing }: EntryParser, key: Buffer | undefined): Buffer {
  const reason = editing.rule.remove;
  if (key !== undefined && reason === true) return key;
  const { id, type } = editing.shape.info;
  const detail = `Entries of map ${id} (${type}) cannot be removed: ${reason}.`;
  throw new PinfoldError('not_editable', { detail });
}

async function takePacked(
  body: AsyncIterable<Buffer>,
  action: Edit['action'],
  { applier, parser, slices }: Intake,
): Promise<void> {
  const { keySize, wireSize } = parser.editing.shape;
  const entrySize = action === 'put' ? keySize + wireSize : keySize;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (let count = -1; count !== 0; at += Math.max(count, 0) * entrySize) {
      count = applier.takePacked(action, bytes, at);
      await slices.pause();
    }
    rest = Buffer.from(bytes.subarray(at));
  }
  if (rest.length === 0) return;
  const left = rest.length === 1 ? '1 byte is' : `${rest.length} bytes are`;
  const detail = `${left} left, and an entry has ${entrySize}.`;
  applier.refuse(new PinfoldError('invalid_input', { detail }));
}

/** @throws PinfoldError body_too_large */
async function* bounded(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > limits.editBytesMax) {
      const detail = `A body of entries has at most ${limits.editBytesMax} bytes.`;
      throw new PinfoldError('body_too_large', { detail });
    }
    yield chunk;
  }
}
