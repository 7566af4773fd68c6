import { type PinfoldClient, readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import type { Detail } from './details.ts';
import { found } from './found.ts';

/** Which program a link runs; what it hangs on is in its document already. */
export async function readLinkDetails({ api }: PinfoldClient, link: object): Promise<readonly Detail[]> {
  if (!('prog_id' in link) || typeof link.prog_id !== 'number') return [];
  const params = { path: { id: String(link.prog_id) } };
  const program = await found(readData(api.GET('/v1/programs/{id}', { params })));
  if ('why' in program)
    return [{ member: 'program', value: null, lines: [`Runs:  unknown: ${program.why}`] }];
  const { id, type, name, tag } = program.value;
  const text = `program ${id} ${type} ${name}, tag ${tag}`;
  return [{ member: 'program', value: { id, type, name, tag }, lines: [`Runs:  ${escapeText(text)}`] }];
}
