import { ClientError } from './client-error.ts';

/** The longest line that can be one string here (V8's limit on 64 bits is a little above), in characters. */
export const lineCharsMax = 500_000_000;

/**
 * Splits bytes into the lines they are, the last one with or without its end.
 *
 * Each byte is looked at once, however many chunks a line comes in: its pieces are joined when it is whole.
 * @throws ClientError line_too_long; TypeError where the bytes are no UTF-8
 */
export async function* readLines(
  body: AsyncIterable<Uint8Array>,
  charsMax = lineCharsMax,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let pieces: string[] = [];
  let chars = 0;
  const take = (piece: string): void => {
    chars += piece.length;
    if (chars > charsMax)
      throw new ClientError('line_too_long', 'One item is too long to be read as a whole.');
    pieces.push(piece);
  };
  const give = (): string => {
    const line = pieces.join('');
    pieces = [];
    chars = 0;
    return line;
  };
  for await (const chunk of body) {
    const [end = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n');
    take(end);
    for (const piece of others) {
      yield give();
      take(piece);
    }
  }
  take(decoder.decode());
  if (chars > 0) yield give();
}
