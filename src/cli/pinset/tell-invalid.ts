import { isClientError } from '../../client/client-error.ts';
import { escapeText } from '../../model/escape.ts';
import { isRecord } from '../../model/record.ts';
import type { Cli } from '../cli.ts';
import { Exit, exitCodes } from '../exit.ts';
import type { WrittenPinSet } from './read-pin-sets.ts';

/**
 * Has the server look at a pin set; all that it objects to is told with the lines of the file.
 *
 * @throws Exit after that, and what else the server refuses
 */
export async function withLines<Answer>(
  cli: Cli,
  set: WrittenPinSet,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    const complaints = isClientError(error, 'invalid_input') ? error.problem?.['errors'] : undefined;
    if (!Array.isArray(complaints) || complaints.length === 0) throw error;
    await cli.out.flush();
    for (const complaint of complaints) {
      const { pointer = '', detail = '' } = isRecord(complaint) ? complaint : {};
      const inBody = String(pointer).replace(/^\/body/, '');
      await cli.err.line(`${set.placeOf(inBody)}: ${escapeText(`${inBody} ${String(detail)}`.trim())}`);
    }
    throw new Exit(exitCodes.error);
  }
}
