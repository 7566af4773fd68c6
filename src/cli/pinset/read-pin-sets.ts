import { type Document, isMap, isNode, isScalar, LineCounter, parseAllDocuments } from 'yaml';
import type { PinSetBody } from '../../client/documents.ts';
import { escapeText } from '../../model/escape.ts';
import { unescapeStep } from '../../model/json-pointer.ts';
import { UsageError } from '../exit.ts';
import type { Io } from '../io.ts';
import { readAll } from '../read-lines.ts';
import { readText } from '../read-text.ts';

/** A pin set as a file has it. What it says is for the server to judge. */
export interface WrittenPinSet {
  readonly name: string;
  readonly body: PinSetBody;
  /** `FILE:12`, where a pointer into the body leads: to what it names, or to what that would be in. */
  placeOf(pointer: string): string;
}

/**
 * Reads a file of YAML documents (JSON is YAML), or standard input for `-`: a pin set each.
 *
 * @throws UsageError with the line of what cannot be read, or of a document that is no pin set
 */
export async function readPinSets(io: Io, file: string): Promise<readonly WrittenPinSet[]> {
  const lines = new LineCounter();
  const title = file === '-' ? 'standard input' : escapeText(file);
  const text = file === '-' ? await readAll(io) : readText(file);
  const parsed = parseAllDocuments(text, { lineCounter: lines });
  // What a template leaves of a part that is off has comments alone.
  const documents = Array.isArray(parsed) ? parsed.filter((document) => !isNothing(document)) : [];
  if (documents.length === 0) throw new UsageError(`${title} holds no pin set.`);
  const sets = documents.map((document) => readOne(document, { title, lines }));
  const names = sets.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new UsageError(`${title} holds ${escapeText(twice)} twice.`);
  return sets;
}

function isNothing({ contents, errors }: Document.Parsed): boolean {
  return errors.length === 0 && (contents === null || (isScalar(contents) && contents.value === null));
}

/** @throws UsageError for aliases that lead nowhere, or that are so many that they would fill the memory */
function bodyOf(document: Document.Parsed, place: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    throw new UsageError(`${place}: ${escapeText(error.message)}`);
  }
}

interface Source {
  readonly title: string;
  readonly lines: LineCounter;
}

function readOne(document: Document.Parsed, { title, lines }: Source): WrittenPinSet {
  const [problem] = document.errors;
  if (problem !== undefined) {
    const [what = ''] = problem.message.split(/(?: at line \d+, column \d+)?:?\n/, 1);
    throw new UsageError(`${title}:${lines.linePos(problem.pos[0]).line}: ${escapeText(what)}`);
  }
  const place = (at: readonly string[]): string => {
    const [offset = 0] = rangeOf(document, at);
    return `${title}:${lines.linePos(offset).line}`;
  };
  const body = bodyOf(document, place([]));
  if (!isMap(document.contents) || !isBody(body))
    throw new UsageError(`${place([])}: a pin set is a mapping with a name.`);
  return {
    name: body.name,
    body,
    placeOf: (pointer) => place(pointer.split('/').slice(1).map(unescapeStep)),
  };
}

/** The place of a member, or of the nearest thing around it that is there; of a key rather than its value. */
function rangeOf(document: Document.Parsed, path: readonly string[]): readonly number[] {
  for (let length = path.length; length > 0; length -= 1) {
    const around = document.getIn(path.slice(0, length - 1).map(stepOf), true) ?? document.contents;
    const last = path[length - 1];
    const pair = isMap(around) ? around.items.find(({ key }) => String(key) === last) : undefined;
    if (pair !== undefined && isNode(pair.key) && pair.key.range) return pair.key.range;
    const found = document.getIn(path.slice(0, length).map(stepOf), true);
    if (isNode(found) && found.range) return found.range;
  }
  return isNode(document.contents) && document.contents.range ? document.contents.range : [0];
}

function stepOf(word: string): string | number {
  return /^\d+$/.test(word) ? Number(word) : word;
}

function isBody(body: unknown): body is PinSetBody & { readonly name: string } {
  return (
    typeof body === 'object' &&
    body !== null &&
    'name' in body &&
    typeof body.name === 'string' &&
    body.name !== ''
  );
}
