import { type PinfoldClient, readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { formatShare } from '../format/bytes.ts';
import { counted } from '../format/plural.ts';
import type { Detail } from './details.ts';
import { found } from './found.ts';

/** How full a map is, what its keys and values are, and what it was made with beside. */
export async function readMapDetails({ api }: PinfoldClient, id: string): Promise<readonly Detail[]> {
  const params = { path: { id } };
  const count = await found(readData(api.GET('/v1/maps/{id}/count', { params })));
  const types = await found(readData(api.GET('/v1/maps/{id}/types', { params })));
  const spec = await found(readData(api.GET('/v1/maps/{id}/spec', { params })));
  return [
    'value' in count ? entries(count.value) : reason('entries', 'Entries', count.why),
    'value' in types ? layout(types.value) : reason('types', 'Layout', types.why),
    ...('value' in spec ? making(spec.value) : []),
  ];
}

function entries(counting: {
  readonly count: number;
  readonly max_entries: number;
  readonly complete: boolean;
}): Detail {
  const { count, max_entries: most, complete } = counting;
  const share = most > 0 ? ` of ${most} (${formatShare(count / most)})` : '';
  return {
    member: 'entries',
    value: counting,
    lines: [`Entries:  ${complete ? '' : 'at least '}${count}${share}`],
  };
}

function layout(types: {
  readonly key?: { readonly name: string; readonly bytes?: number };
  readonly value?: { readonly name: string; readonly bytes?: number };
  readonly definitions: string;
  readonly missing?: string;
}): Detail {
  if (types.missing !== undefined)
    return { member: 'types', value: types, lines: [`Layout:  none: ${escapeText(types.missing)}`] };
  const named = (['key', 'value'] as const).flatMap((side) => {
    const type = types[side];
    const size = type?.bytes === undefined ? '' : `, ${counted(type.bytes, 'byte')}`;
    return type === undefined ? [] : [`  ${`${side}:`.padEnd(6)}  ${escapeText(type.name)}${size}`];
  });
  const code = types.definitions.split('\n').map((line) => `  ${lineOf(line)}`.trimEnd());
  const lines = ['Layout:', ...named, ...(types.definitions === '' ? [] : ['', ...code])];
  return { member: 'types', value: types, lines };
}

/** What no other member of the document says. */
function making(spec: { readonly numa_node?: number; readonly inner?: object }): readonly Detail[] {
  const { numa_node: node, inner } = spec;
  return [
    ...(node === undefined ? [] : [{ member: 'numa_node', value: node, lines: [`Memory node:  ${node}`] }]),
    ...(inner === undefined ? [] : [template(inner)]),
  ];
}

function template(inner: object): Detail {
  const facts = Object.entries(inner).map(([name, value]) => `${name.replaceAll('_', ' ')} ${String(value)}`);
  return { member: 'inner', value: inner, lines: [`Takes maps like:  ${escapeText(facts.join(', '))}`] };
}

function reason(member: string, title: string, why: string): Detail {
  return { member, value: { missing: why }, lines: [`${title}:  unknown: ${escapeText(why)}`] };
}

/** A line of C: what it is indented by is tabs, all else is escaped. */
function lineOf(line: string): string {
  const [indent = ''] = /^\t*/.exec(line) ?? [];
  return `${'    '.repeat(indent.length)}${escapeText(line.slice(indent.length))}`;
}
