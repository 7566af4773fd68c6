import { escapeText } from '../model/escape.ts';
import { parseId, parsePathArgument } from './argument.ts';
import { readPin } from './change.ts';
import type { Cli } from './cli.ts';
import { UsageError } from './exit.ts';

/** What every command says of its argument that is a program. */
export const programHelp = 'an id (12 or program:12), or the path of a pin';

/** The id of the program a person means. @throws UsageError where a pin holds none; ClientError */
export async function resolveProgram(cli: Cli, text: string): Promise<string> {
  if (/^(prog(ram)?:)?\d+$/.test(text)) return parseId(text, 'program');
  const pin = await readPin(cli, parsePathArgument(text));
  if (pin.kind === 'program' && pin.id !== undefined) return String(pin.id);
  throw new UsageError(`${escapeText(text)} holds no program.`);
}
