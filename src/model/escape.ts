/**
 * What must not reach a terminal as it is: controls (C0, C1, DEL), format characters (bidirectional
 * overrides, zero widths), whatever else a font shows as nothing, line and paragraph separators, spaces other
 * than U+0020, private and unassigned code points, marks with no letter to sit on (or piled high), and the
 * backslash, which begins an escape.
 *
 * Sources: Unicode general categories and Default_Ignorable_Code_Point; UTR #36 on bidirectional spoofing.
 */
const unsafe =
  /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\\]|(?! )\p{Zs}|(?<!\p{L}\p{M}{0,2})\p{M}/gu;

/** Spaces that would be invisible at an edge, or pass for the gap between two columns. */
const deceptiveSpaces = /^ +| +$| {2,}/g;

/**
 * Text for people: what is printable stays; everything that could hide, move or forge something becomes
 * `\xNN`, byte by byte of its UTF-8, and a backslash becomes `\\`. The result is one line, and `parseEscaped`
 * reads it back.
 */
export function escapeText(text: string): string {
  return text
    .replace(unsafe, (char) => (char === '\\' ? '\\\\' : hexOf(Buffer.from(char, 'utf8'))))
    .replace(deceptiveSpaces, (spaces) => '\\x20'.repeat(spaces.length));
}

/**
 * The same for bytes: what is valid UTF-8 is shown as `escapeText` shows it, every other byte as `\xNN`.
 *
 * Names in bpffs are bytes; two names that differ never look the same here.
 */
export function escapeName(bytes: Uint8Array): string {
  let shown = '';
  for (let start = 0; start < bytes.length; ) {
    const end = endOfText(bytes, start);
    shown += end > start ? escapeText(Buffer.from(bytes.subarray(start, end)).toString('utf8')) : '';
    shown += end < bytes.length ? hexOf(bytes.subarray(end, end + 1)) : '';
    start = end + 1;
  }
  return shown;
}

/** The bytes that an escaped text stands for; undefined where a backslash begins neither `\\` nor `\xNN`. */
export function parseEscaped(text: string): Buffer | undefined {
  const parts: Buffer[] = [];
  for (const [whole, hex, backslash] of text.matchAll(/\\x([0-9a-fA-F]{2})|(\\\\)|(\\)|[^\\]+/g)) {
    if (whole === '\\') return undefined;
    if (hex !== undefined) parts.push(Buffer.from(hex, 'hex'));
    else parts.push(Buffer.from(backslash === undefined ? whole : '\\', 'utf8'));
  }
  return Buffer.concat(parts);
}

/**
 * Where the valid UTF-8 that begins at `start` ends (RFC 3629, section 4: no surrogates, nothing overlong).
 */
function endOfText(bytes: Uint8Array, start: number): number {
  let at = start;
  for (let length = sequenceLength(bytes, at); length > 0; length = sequenceLength(bytes, at)) at += length;
  return at;
}

function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === undefined) return 0;
  if (first < 0x80) return 1;
  const [length, low, high] = leadOf(first);
  for (let next = 1; next < length; next++) {
    const byte = bytes[at + next];
    if (byte === undefined || byte < (next === 1 ? low : 0x80) || byte > (next === 1 ? high : 0xbf)) return 0;
  }
  return length;
}

/** How long the sequence is that a byte leads, and the bounds of its second byte. */
function leadOf(first: number): readonly [length: number, low: number, high: number] {
  if (first >= 0xc2 && first <= 0xdf) return [2, 0x80, 0xbf];
  if (first >= 0xe0 && first <= 0xef) return [3, first === 0xe0 ? 0xa0 : 0x80, first === 0xed ? 0x9f : 0xbf];
  if (first >= 0xf0 && first <= 0xf4) return [4, first === 0xf0 ? 0x90 : 0x80, first === 0xf4 ? 0x8f : 0xbf];
  return [0, 0, 0];
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}

/** Tells whether a text shows on a terminal exactly what it is. */
export function isPrintable(text: string): boolean {
  return escapeText(text) === text;
}

/**
 * The same text of JSON (or of YAML's double-quoted style) with `\uNNNN` for what must not reach a terminal
 * as it is.
 *
 * What it parses to stays the same; newlines, which only layout has, and backslashes are left alone.
 */
export function escapeJson(json: string): string {
  return json.replace(unsafe, (char) => (char === '\\' || char === '\n' ? char : unicodeOf(char)));
}

function unicodeOf(char: string): string {
  return Array.from(
    { length: char.length },
    (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('');
}
