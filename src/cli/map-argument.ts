import { isClientError } from '../client/client-error.ts';
import { escapeText } from '../model/escape.ts';
import { parseId, parsePathArgument } from './argument.ts';
import { readPin } from './change.ts';
import type { Cli } from './cli.ts';
import { NotFoundError, UsageError } from './exit.ts';

/** What every command says of its argument that is a map. */
export const mapHelp = 'an id (5 or map:5), the path of a pin, or a name that only one map has';

/**
 * The id of the map a person means: `5`, `map:5`, the path of a pin, or a name that only one map has.
 *
 * @throws NotFoundError where it means no map, UsageError where it means several; ClientError
 */
export async function resolveMap(cli: Cli, text: string): Promise<string> {
  if (/^(map:)?\d+$/.test(text)) return parseId(text, 'map');
  const pinned = await findPinned(cli, text);
  if (pinned !== undefined) return pinned;
  const client = await cli.client();
  const ids: number[] = [];
  for await (const map of client.list('/v1/maps', { name: text, fresh: true })) ids.push(map.id);
  const [id, ...others] = ids;
  if (id === undefined) throw new NotFoundError(`${escapeText(text)} is no pin, and no map has that name.`);
  if (others.length === 0) return String(id);
  throw new UsageError(
    `${ids.length} maps are called ${escapeText(text)}: ${ids.join(', ')}. Say which by its id.`,
  );
}

/** The map a pin holds; undefined where there is no such pin, or the text can be no path. */
async function findPinned(cli: Cli, text: string): Promise<string | undefined> {
  // A dot can be in a map's name, never in a path.
  if (text.includes('.')) return undefined;
  try {
    const pin = await readPin(cli, parsePathArgument(text));
    if (pin.kind === 'map') return String(pin.id);
  } catch (error) {
    const codes = ['pin_not_found', 'parent_not_found', 'is_a_directory', 'not_a_directory'];
    if (codes.some((code) => isClientError(error, code))) return undefined;
    throw error;
  }
  throw new UsageError(`${escapeText(text)} holds no map.`);
}
