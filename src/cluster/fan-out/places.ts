import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { isClusterName } from '../../model/cluster/key.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { EventPlaces } from './events.ts';

/** Places as text, packed: a thousand nodes are a few kilobytes. */
export function formatPlaces(places: EventPlaces): string {
  const text = [...places].map(([node, seq]) => `${node} ${seq}`).join('\n');
  return deflateRawSync(text).toString('base64url');
}

/** Reads what formatPlaces wrote; nothing means the beginning. @throws PinfoldError bad_cursor */
export function parsePlaces(text: string | undefined): EventPlaces {
  if (text === undefined) return new Map();
  let plain: string;
  try {
    const packed = Buffer.from(text, 'base64url');
    plain = inflateRawSync(packed, { maxOutputLength: limits.placesBytesMax }).toString('utf8');
  } catch (error) {
    throw new PinfoldError('bad_cursor', {}, error);
  }
  const lines = plain === '' ? [] : plain.split('\n');
  const places = new Map(lines.map(parsePlace));
  if (formatPlaces(places) === text) return places;
  throw new PinfoldError('bad_cursor');
}

function parsePlace(line: string): readonly [string, number] {
  const [, node, seq] = /^(\S+) ([1-9]\d{0,14})$/.exec(line) ?? [];
  if (node !== undefined && isClusterName(node)) return [node, Number(seq)];
  throw new PinfoldError('bad_cursor');
}
