import { type PinfoldClient, readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { counted } from '../format/plural.ts';
import type { Detail } from './details.ts';
import { found } from './found.ts';

/** What a program is made of, which maps it uses, and where it is attached. */
export async function readProgramDetails({ api }: PinfoldClient, id: string): Promise<readonly Detail[]> {
  const spec = await found(readData(api.GET('/v1/programs/{id}/spec', { params: { path: { id } } })));
  if ('why' in spec) return [{ member: 'maps', value: [], lines: [`Made of:  unknown: ${spec.why}`] }];
  const { instructions, line_info: lines, func_info: functions, maps, attachments, about } = spec.value;
  const { expected_attach_type: attachType, attach_btf: target } = spec.value;
  const counts = [
    instructions === undefined ? undefined : counted(instructions.count, 'instruction'),
    functions === undefined ? undefined : counted(functions.count, 'function'),
    lines === undefined ? undefined : counted(lines.count, 'source line'),
  ].filter((part) => part !== undefined);
  const asLoaded = instructions?.loaded_base64 !== undefined;
  return [
    ...(counts.length === 0 ? [] : [line('made_of', 'Made of', counts.join(', '))]),
    line('as_loaded', 'As loaded', asLoaded ? 'yes, its tag proves it' : 'no, the verifier has rewritten it'),
    ...(attachType === undefined ? [] : [line('expected_attach_type', 'Made for', attachType)]),
    ...(target?.name === undefined ? [] : [line('attach_name', 'Made for function', target.name)]),
    list('maps', 'Uses', maps, ({ id: map, type = '', name = '' }) => `map ${map} ${type} ${name}`),
    list(
      'attachments',
      'Attached by',
      attachments,
      ({ link_id: link, link_type: type, attach_type: how = '' }) => `link ${link} ${type} ${how}`,
    ),
    list(
      'not_recoverable',
      'Not recoverable',
      about.not_recoverable,
      ({ member, reason }) => `${member}: ${reason}`,
    ),
  ];
}

function line(member: string, title: string, text: string): Detail {
  return { member, value: text, lines: [`${title}:  ${escapeText(text)}`] };
}

function list<Item>(
  member: string,
  title: string,
  items: readonly Item[],
  textOf: (item: Item) => string,
): Detail {
  const lines = items.map((item) => `  - ${escapeText(textOf(item).trimEnd())}`);
  return {
    member,
    value: items,
    lines: lines.length === 0 ? [`${title}:  nothing`] : [`${title}:`, ...lines],
  };
}
