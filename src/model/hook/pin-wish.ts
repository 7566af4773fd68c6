import { parseDurationMs } from '../duration.ts';
import { PinfoldError } from '../error.ts';
import { escapeStep } from '../json-pointer.ts';
import { limits } from '../limits.ts';
import { type PinPath, parseUrlPath } from '../path.ts';

/** The pins a workload needs. */
export interface PinWish {
  /** What must be there before it begins; everything it claims is among them. */
  readonly needs: readonly PinPath[];
  /** What must stay until it ends. */
  readonly claims: readonly PinPath[];
  /** How long it waits at most; undefined where it does not say. */
  readonly timeoutMs: number | undefined;
}

/** The words of a wish, wherever they stand. */
export interface WishWords {
  readonly wait?: readonly string[];
  readonly claim?: readonly string[];
  readonly timeout?: string;
}

/** What annotations of Pinfold begin with; others are not looked at. */
export const annotationPrefix = 'pinfold/';

/**
 * Reads a wish from annotations: `pinfold/wait` and `pinfold/claim` are paths as URLs carry them, with spaces
 * between; `pinfold/timeout` is a time such as `30s`.
 *
 * An annotation that nobody knows is refused: a container with a word misspelt would start without its pins.
 * @throws PinfoldError invalid_input, bad_path
 */
export function parseAnnotations(annotations: Readonly<Record<string, string>>, pointer: string): PinWish {
  const words: Record<string, string> = {};
  for (const [key, value] of Object.entries(annotations)) {
    if (!key.startsWith(annotationPrefix)) continue;
    const word = key.slice(annotationPrefix.length);
    if (!['wait', 'claim', 'timeout'].includes(word)) {
      throw invalid(`${pointer}/${escapeStep(key)}`, 'is none of wait, claim and timeout');
    }
    words[word] = value;
  }
  const { wait = '', claim = '', timeout } = words;
  return parseWish(
    { wait: split(wait), claim: split(claim), ...(timeout === undefined ? {} : { timeout }) },
    pointer,
  );
}

/** Reads a wish from its words. @throws PinfoldError invalid_input, bad_path */
export function parseWish({ wait = [], claim = [], timeout }: WishWords, pointer: string): PinWish {
  if (wait.length + claim.length > limits.hookPinsMax) {
    throw invalid(pointer, `names more than ${limits.hookPinsMax} pins`);
  }
  const claims = [...new Set(claim.map(parseUrlPath))];
  const needs = [...new Set([...claims, ...wait.map(parseUrlPath)])];
  const timeoutMs = timeout === undefined ? undefined : parseDurationMs(timeout);
  if (timeout !== undefined && (timeoutMs === undefined || timeoutMs > limits.waitMsMax)) {
    throw invalid(
      pointer,
      `has a timeout that is no time such as 30s, at most ${limits.waitMsMax / 60_000}m`,
    );
  }
  return { needs, claims, timeoutMs };
}

/** Two wishes of one workload; it waits for the shorter time. @throws PinfoldError invalid_input */
export function joinWishes(one: PinWish, other: PinWish): PinWish {
  const times = [one.timeoutMs, other.timeoutMs].filter((ms) => ms !== undefined);
  return {
    needs: [...new Set([...one.needs, ...other.needs])],
    claims: [...new Set([...one.claims, ...other.claims])],
    timeoutMs: times.length === 0 ? undefined : Math.min(...times),
  };
}

function split(text: string): readonly string[] {
  return text.split(/[ \t\r\n]+/).filter((word) => word !== '');
}

function invalid(pointer: string, detail: string): PinfoldError {
  return new PinfoldError('invalid_input', {
    detail: `The request is not valid: ${pointer} ${detail}.`,
    errors: [{ pointer, detail }],
  });
}
