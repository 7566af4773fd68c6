import { parseDurationMs } from '../model/duration.ts';
import { escapeText, parseEscaped } from '../model/escape.ts';
import { isObjectKind, type ObjectKind, type PinnableKind } from '../model/kind.ts';
import { bytesOf, isUtf8, type PinPath, parsePathBytes, textOf } from '../model/path.ts';
import { UsageError } from './exit.ts';

/**
 * Reads a path as people type it and as Pinfold prints it: `\xNN` is a byte and `\\` a backslash.
 *
 * @throws UsageError for another backslash, PinfoldError bad_path for what can be no pin's path
 */
export function parsePathArgument(text: string): PinPath {
  const bytes = parseEscaped(text);
  if (bytes === undefined) {
    throw new UsageError(
      `In ${escapeText(text)} a backslash must be written \\\\, or begin an escape such as \\x0a.`,
    );
  }
  return parsePathBytes(bytes);
}

/** A path that goes into a query, where only UTF-8 can. @throws UsageError, PinfoldError bad_path */
export function parseTextPath(text: string): string {
  const path = parsePathArgument(text);
  if (!isUtf8(path)) throw new UsageError(`${escapeText(text)} is not UTF-8, which a filter must be.`);
  return textOf(path);
}

/**
 * A directory that a list is narrowed to, in the words of a query. @throws UsageError, PinfoldError bad_path
 */
export function prefixQuery(text: string): { readonly prefix: string } | { readonly prefix_bytes: string } {
  const path = parsePathArgument(text);
  return isUtf8(path) ? { prefix: textOf(path) } : { prefix_bytes: bytesOf(path).toString('base64url') };
}

/** Reads the word for a kind. @throws UsageError */
export function parseKind(word: string): ObjectKind {
  const kind = kindNamed(word);
  if (kind !== undefined) return kind;
  throw new UsageError(`${escapeText(word)} is not a kind; there are map, program, link and btf.`);
}

/** Reads the word for a kind that can be pinned. @throws UsageError */
export function parsePinnableKind(word: string): PinnableKind {
  const kind = parseKind(word);
  if (kind !== 'btf') return kind;
  throw new UsageError('BTF cannot be pinned.');
}

/** The members a request body names a path with. */
export function pathBody(path: PinPath): { path: string } | { path_bytes: string } {
  return isUtf8(path) ? { path: textOf(path) } : { path_bytes: bytesOf(path).toString('base64') };
}

/** Reads a kernel id, `5` or with its kind in front, `map:5`, as URLs carry it. @throws UsageError */
export function parseId(text: string, kind: ObjectKind): string {
  const match = /^(?:([a-z]+):)?0*([1-9]\d{0,9})$/.exec(text);
  const named = match?.[1];
  if (match === null || (named !== undefined && kindNamed(named) !== kind)) {
    throw new UsageError(`${escapeText(text)} is not the id of a ${kind}, such as 5 or ${kind}:5.`);
  }
  return String(match[2]);
}

/** The kind a word means; `prog` is what bpftool says for programs. */
export function kindNamed(word: string): ObjectKind | undefined {
  if (word === 'prog') return 'program';
  return isObjectKind(word) ? word : undefined;
}

/** Reads a number within bounds, for options. @throws UsageError */
export function parseNumber(text: string, bounds: { readonly min: number; readonly max: number }): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= bounds.min && value <= bounds.max) return value;
  throw new UsageError(`${escapeText(text)} is not a number from ${bounds.min} to ${bounds.max}.`);
}

/** Reads a duration such as `30s`. @throws UsageError */
export function parseDuration(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new UsageError(`${escapeText(text)} is not a duration such as 500ms, 30s, 5m, 2h or 7d.`);
}

/** ISO 8601: a day, by itself in UTC, or a moment, which without a zone is of this machine's. */
const isoTime = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/i;

/** A time as the API takes it; a duration means that long ago. @throws UsageError */
export function parseTime(text: string, now: Date): string {
  const ms = parseDurationMs(text);
  if (ms !== undefined) return new Date(now.getTime() - ms).toISOString();
  // Date.parse by itself finds a year in almost anything: `seq:-1` is 2001.
  const at = isoTime.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at))
    throw new UsageError(`${escapeText(text)} is neither a time nor a duration such as 5m.`);
  return new Date(at).toISOString();
}

/** A time, or `seq:12` for right after an event, as `?at=` takes it. @throws UsageError */
export function parseMoment(text: string, now: Date): string {
  return /^seq:\d{1,15}$/.test(text) ? text : parseTime(text, now);
}

/**
 * Collects what an option is given each time it is; greedy options would swallow the arguments after them.
 */
export function collect(word: string, before: readonly string[] = []): readonly string[] {
  return [...before, word];
}

/** Reads `key=value` pairs. @throws UsageError */
export function parseLabels(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new UsageError(`${escapeText(pair)} is not a label such as team=net.`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
