import { type PinfoldClient, readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import type { Detail } from './details.ts';
import { found } from './found.ts';

/** Whether a link is dead, and which program it runs; what it hangs on is in its document already. */
export async function readLinkDetails(client: PinfoldClient, link: object): Promise<readonly Detail[]> {
  return [...attachment(link), ...(await program(client, link))];
}

/** What is gone where a link of this type is dead. */
const targets: Readonly<Record<string, string>> = {
  cgroup: 'control group',
  netns: 'network namespace',
  xdp: 'network device',
  tcx: 'network device',
  netkit: 'network device',
  sockmap: 'map',
  struct_ops: 'map',
};

function attachment(link: object): readonly Detail[] {
  const type = 'type' in link ? String(link.type) : '';
  if ('is_attached' in link) {
    if (link.is_attached !== false) return [];
    const gone = `its ${targets[type] ?? 'target'} is gone`;
    const why = `${gone}, or it was detached from it; its program does not run there any more`;
    return [{ member: 'dead', value: why, lines: [`Dead:  ${why}`] }];
  }
  // It is run by whoever reads it.
  if (type === 'iter') return [];
  const why = `the kernel does not tell of ${escapeText(type)} links whether they are attached`;
  return [{ member: 'attached', value: { missing: why }, lines: [`Attached:  unknown: ${why}`] }];
}

async function program({ api }: PinfoldClient, link: object): Promise<readonly Detail[]> {
  if (!('prog_id' in link) || typeof link.prog_id !== 'number') return [];
  const params = { path: { id: String(link.prog_id) } };
  const answer = await found(readData(api.GET('/v1/programs/{id}', { params })));
  if ('why' in answer) return [{ member: 'program', value: null, lines: [`Runs:  unknown: ${answer.why}`] }];
  const { id, type, name, tag } = answer.value;
  const text = `program ${id} ${type} ${name}, tag ${tag}`;
  return [{ member: 'program', value: { id, type, name, tag }, lines: [`Runs:  ${escapeText(text)}`] }];
}
