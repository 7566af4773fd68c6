import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { isClusterName } from '../../model/cluster/key.ts';
import { PinfoldError } from '../../model/error.ts';
import { type EventPlace, formatEventPlace, parseEventPlace } from '../../model/event-place.ts';
import { limits } from '../../model/limits.ts';

/** A node of which nothing was told yet: its events begin where the question says. */
export const asAsked = 'as-asked';

/** How far a reader has come in the history of each node. */
export interface FleetPlaces {
  /** When the reader began: of a node that joins later it is told from then on. */
  readonly begun: string;
  /** A place of the node's own history, or `asAsked`. */
  readonly nodes: ReadonlyMap<string, string>;
}

/** Enough to tell one history of a node from another by accident; a fleet's cursor must fit into a header. */
const hashDigits = 6;

/** A node's place as the fleet's cursors carry it; undefined for what is none. */
export function shortPlace(text: string): string | undefined {
  const place = parseEventPlace(text);
  return place === undefined ? undefined : formatShortPlace(place);
}

/** The same for a place that was read already. */
export function formatShortPlace(place: EventPlace): string {
  return formatEventPlace(place, hashDigits);
}

/** The length of what is packed stands before it: zlib takes no notice of bytes behind. */
const headBytes = 4;

/** Places as bytes, packed: a thousand nodes are some ten kilobytes. */
export function formatPlaces(places: FleetPlaces): Buffer {
  const packed = deflateRawSync(textOf(places));
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(packed.length);
  return Buffer.concat([head, packed]);
}

function textOf({ begun, nodes }: FleetPlaces): string {
  return [begun, ...[...nodes].map(([node, place]) => `${node} ${place}`)].join('\n');
}

/** Reads what formatPlaces wrote. @throws PinfoldError bad_cursor */
export function parsePlaces(bytes: Buffer): FleetPlaces {
  const packed = bytes.subarray(headBytes);
  const isWhole = bytes.length >= headBytes && bytes.readUInt32BE() === packed.length;
  if (!isWhole) throw new PinfoldError('bad_cursor');
  let plain: string;
  try {
    plain = inflateRawSync(packed, { maxOutputLength: limits.placesBytesMax }).toString('utf8');
  } catch (error) {
    throw new PinfoldError('bad_cursor', {}, error);
  }
  const [begun = '', ...lines] = plain.split('\n');
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(begun)) throw new PinfoldError('bad_cursor');
  const places = { begun, nodes: new Map(lines.map(parseLine)) };
  // Not the bytes: a manager with another zlib packs the same text otherwise.
  if (textOf(places) === plain) return places;
  throw new PinfoldError('bad_cursor');
}

function parseLine(line: string): readonly [string, string] {
  const [node = '', place = '', ...rest] = line.split(' ');
  const isPlace = place === asAsked || shortPlace(place) === place;
  if (rest.length === 0 && isPlace && isClusterName(node)) return [node, place];
  throw new PinfoldError('bad_cursor');
}
