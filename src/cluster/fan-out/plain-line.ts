/** Nesting that is followed here; what nests deeper is for the parser of JSON to judge. */
const depthMax = 64;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const node = Buffer.from('"node"');
const literals = ['true', 'false', 'null'].map((text) => Buffer.from(text));
/** A place for none. */
const none = -1;

/**
 * Tells whether bytes from `start` to `end` are surely a JSON object (RFC 8259) as a node writes it: with a
 * member, no space between its parts, no backslash in a name, and no member `node` of its own. Where it is
 * not sure it says no, and the line is parsed. That they are UTF-8 is judged of the whole answer.
 *
 * A manager hands on a hundred thousand lines for one list of a large fleet. To parse each made objects that
 * nobody reads: most of the processor time of the list, and garbage several times its size.
 */
export function isPlainLine(bytes: Buffer, start: number, end: number): boolean {
  if (bytes[start] !== openBrace || bytes[start + 1] !== quote || end > bytes.length) return false;
  const isObject = new Uint8Array(depthMax);
  let depth = 0;
  let place = start;
  for (;;) {
    // Here a value begins.
    const first = bytes[place];
    if (first === openBrace || first === openBracket) {
      const closing = first === openBrace ? closeBrace : closeBracket;
      if (bytes[place + 1] === closing) place += 2;
      else {
        if (depth === depthMax) return false;
        isObject[depth] = first === openBrace ? 1 : 0;
        depth += 1;
        place += 1;
        if (first === openBracket) continue;
        place = afterName(bytes, place, depth);
        if (place === none) return false;
        continue;
      }
    } else {
      place = afterScalar(bytes, place);
      if (place === none) return false;
    }
    // Here one has ended, and perhaps what it is in.
    while (bytes[place] === (isObject[depth - 1] === 1 ? closeBrace : closeBracket)) {
      depth -= 1;
      place += 1;
      if (depth === 0) return place === end;
    }
    if (place >= end || bytes[place] !== comma) return false;
    place += 1;
    if (isObject[depth - 1] === 1) {
      place = afterName(bytes, place, depth);
      if (place === none) return false;
    }
  }
}

/** Behind the name of a member and its colon. */
function afterName(bytes: Buffer, place: number, depth: number): number {
  if (bytes[place] !== quote) return none;
  const end = afterString(bytes, place, false);
  if (end === none || bytes[end] !== colon) return none;
  if (depth === 1 && end - place === node.length && node.compare(bytes, place, end) === 0) return none;
  return end + 1;
}

/** Behind a string. An escape with `u` is left to the parser. */
function afterString(bytes: Buffer, begin: number, mayEscape: boolean): number {
  for (let place = begin + 1; place < bytes.length; place += 1) {
    const byte = bytes[place] ?? 0;
    if (byte === quote) return place + 1;
    if (byte < 0x20) return none;
    if (byte !== backslash) continue;
    place += 1;
    if (!mayEscape || !isEscape(bytes[place])) return none;
  }
  return none;
}

/** One of `"\/bfnrt`. */
function isEscape(byte: number | undefined): boolean {
  switch (byte) {
    case quote:
    case backslash:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return true;
    default:
      return false;
  }
}

function afterScalar(bytes: Buffer, place: number): number {
  const first = bytes[place] ?? 0;
  if (first === quote) return afterString(bytes, place, true);
  if (first === 0x2d || isDigit(first)) return afterNumber(bytes, place);
  for (const literal of literals)
    if (literal[0] === first && literal.compare(bytes, place, place + literal.length) === 0)
      return place + literal.length;
  return none;
}

/** Behind a number; one with an exponent is left to the parser. */
function afterNumber(bytes: Buffer, begin: number): number {
  let place = bytes[begin] === 0x2d ? begin + 1 : begin;
  const first = bytes[place] ?? 0;
  if (!isDigit(first)) return none;
  place += 1;
  while (first !== 0x30 && isDigit(bytes[place] ?? 0)) place += 1;
  if (bytes[place] !== 0x2e) return place;
  place += 1;
  const fraction = place;
  while (isDigit(bytes[place] ?? 0)) place += 1;
  return place > fraction ? place : none;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
