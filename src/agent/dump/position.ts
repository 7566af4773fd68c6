import type { MapShape } from '../../kernel/entries/map-shape.ts';
import type { Consistency } from '../../kernel/entries/map-types.ts';
import { PinfoldError } from '../../model/error.ts';

/** Where reading goes on: where the kernel goes on, and how many entries from there were given already. */
export interface Position {
  readonly kernel: Buffer | undefined;
  readonly skip: number;
  /** The bucket before which it ends, where others read what is from there on. */
  readonly before?: number;
}

/** As text, for cursors. */
export function formatPosition({ kernel, skip, before }: Position): string {
  return `${kernel?.toString('hex') ?? ''}.${skip}${before === undefined ? '' : `-${before}`}`;
}

/** Buckets have numbers of 32 bits (hashtab.c). */
const bucketMax = 0xffff_ffff;

/**
 * Reads what formatPosition wrote; a position of a map with other keys is none.
 *
 * @throws PinfoldError bad_cursor
 */
export function parsePosition(text: string | undefined, keySize: number): Position {
  if (text === undefined) return { kernel: undefined, skip: 0 };
  const [, hex, skip, before] = /^((?:[0-9a-f]{2})*)\.(\d{1,7})(?:-(\d{1,10}))?$/.exec(text) ?? [];
  const kernel = Buffer.from(hex ?? '', 'hex');
  const isNone = skip === undefined || Number(before ?? 0) > bucketMax;
  if (isNone || (kernel.length !== 0 && kernel.length < Math.min(keySize, 4))) {
    throw new PinfoldError('bad_cursor');
  }
  return {
    kernel: kernel.length === 0 ? undefined : kernel,
    skip: Number(skip),
    ...(before === undefined ? {} : { before: Number(before) }),
  };
}

/**
 * What holds of a part of a map. One that begins or ends inside of a bucket, because the bucket has more
 * entries than were asked for, is less sure than whole ones: entries are counted there, and a change in
 * between moves them.
 */
export function consistencyOf(
  { consistency }: MapShape,
  skipped: number,
  next: string | undefined,
): Consistency {
  const isWhole = skipped === 0 && (next === undefined || /\.0(?:-|$)/.test(next));
  return consistency === 'per_bucket' && !isWhole ? 'may_repeat' : consistency;
}
