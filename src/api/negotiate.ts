import { PinfoldError } from '../model/error.ts';

/** The media types of a list: one document, or one item a line. */
export const listTypes = ['application/json', 'application/x-ndjson'] as const;

/** The media type of everything else under /v1. */
export const jsonOnly = ['application/json'] as const;

/**
 * Picks the media type to answer with (RFC 9110, 12.5.1): the offer with the highest weight, the first of
 * equals.
 *
 * @throws PinfoldError not_acceptable
 */
export function negotiate<Offer extends string>(
  accept: string | undefined,
  offers: readonly [Offer, ...Offer[]],
): Offer {
  if (accept === undefined || accept === '*/*') return offers[0];
  const ranges = accept.split(',').map(parseRange);
  let best: Offer | undefined;
  let bestWeight = 0;
  for (const offer of offers) {
    const weight = weightOf(offer, ranges);
    if (weight > bestWeight) {
      best = offer;
      bestWeight = weight;
    }
  }
  if (best !== undefined) return best;
  throw new PinfoldError('not_acceptable', {
    detail: `This is given as ${offers.join(' or ')}, and Accept allows neither.`,
  });
}

interface Range {
  readonly type: string;
  readonly subtype: string;
  readonly weight: number;
}

function parseRange(text: string): Range {
  const [media = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const [type = '', subtype = ''] = media.split('/');
  const quality = parameters.find((parameter) => parameter.startsWith('q='));
  const weight = quality === undefined ? 1 : Number(quality.slice(2));
  return { type, subtype, weight: weight >= 0 && weight <= 1 ? weight : 0 };
}

/** The weight of the most specific range that covers an offer; 0 where none does. */
function weightOf(offer: string, ranges: readonly Range[]): number {
  const [type, subtype] = offer.split('/');
  const exact = ranges.find((range) => range.type === type && range.subtype === subtype);
  const family = ranges.find((range) => range.type === type && range.subtype === '*');
  const any = ranges.find((range) => range.type === '*' && range.subtype === '*');
  return (exact ?? family ?? any)?.weight ?? 0;
}
