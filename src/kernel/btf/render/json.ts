import type { Json, JsonObject } from '../../../model/json.ts';
import type { Btf } from '../btf.ts';
import {
  arrayOf,
  componentOf,
  enumeratorsOf,
  intOf,
  linkageOf,
  membersOf,
  parametersOf,
  targetOf,
  variablesOf,
} from '../details.ts';

const linkages = ['static', 'global', 'extern'];

/**
 * A whole BTF as JSON text, in pieces: `{"types":[…]}`, each type as `bpftool -j btf dump` shows it.
 *
 * For split BTF only the types of the split part. @throws PinfoldError invalid_input in the middle of it,
 * where a type says something that cannot be
 */
export function* renderJson(btf: Btf): Generator<string> {
  yield '{"types":[';
  for (let id = btf.firstId; id <= btf.typeCount; id++) {
    yield `${id === btf.firstId ? '' : ','}${typeText(btf, id)}`;
  }
  yield ']}';
}

/** One type, its names and references as bpftool calls them; values of enumerations as JSON numbers. */
function typeText(btf: Btf, id: number): string {
  const values = enumerationText(btf, id);
  const text = JSON.stringify(typeDocument(btf, id));
  return values === undefined ? text : `${text.slice(0, -1)},"values":[${values}]}`;
}

/** One type; an enumeration without its values, which can be larger than a number of JavaScript. */
function typeDocument(btf: Btf, id: number): JsonObject {
  const head = { id, kind: btf.kindOf(id).toUpperCase(), name: shownName(btf.nameOf(id)) };
  return { ...head, ...detailsOf(btf, id) };
}

function detailsOf(btf: Btf, id: number): JsonObject {
  const target = targetOf(btf, id);
  switch (btf.kindOf(id)) {
    case 'int':
      return intDetails(btf, id);
    case 'array': {
      const { elementId, indexId, length } = arrayOf(btf, id);
      return { type_id: elementId, index_type_id: indexId, nr_elems: length };
    }
    case 'struct':
    case 'union':
      return { size: target, vlen: btf.entriesOf(id), members: memberDetails(btf, id) };
    case 'enum':
    case 'enum64':
      return {
        encoding: btf.hasFlag(id) ? 'SIGNED' : 'UNSIGNED',
        size: target,
        vlen: btf.entriesOf(id),
      };
    case 'fwd':
      return { fwd_kind: btf.hasFlag(id) ? 'union' : 'struct' };
    case 'func':
    case 'var':
      return { type_id: target, linkage: linkages[linkageOf(btf, id)] ?? '(unknown)' };
    case 'func_proto':
      return { ret_type_id: target, vlen: btf.entriesOf(id), params: parameterDetails(btf, id) };
    case 'datasec':
      return { size: target, vlen: btf.entriesOf(id), vars: variableDetails(btf, id) };
    case 'float':
      return { size: target };
    case 'decl_tag':
      return { type_id: target, component_idx: componentOf(btf, id) };
    default:
      return { type_id: target };
  }
}

function intDetails(btf: Btf, id: number): JsonObject {
  const { size, bits, bitOffset, encoding } = intOf(btf, id);
  const shown = encoding === 'none' ? '(none)' : encoding.toUpperCase();
  return { size, bits_offset: bitOffset, nr_bits: bits, encoding: shown };
}

function memberDetails(btf: Btf, id: number): Json[] {
  return membersOf(btf, id).map(({ name, typeId, bitOffset, bitSize }) => ({
    name: shownName(name),
    type_id: typeId,
    bits_offset: bitOffset,
    ...(bitSize > 0 ? { bitfield_size: bitSize } : {}),
  }));
}

function parameterDetails(btf: Btf, id: number): Json[] {
  return parametersOf(btf, id).map(({ name, typeId }) => ({ name: shownName(name), type_id: typeId }));
}

function variableDetails(btf: Btf, id: number): Json[] {
  return variablesOf(btf, id).map(({ typeId, offset, size }) => ({ type_id: typeId, offset, size }));
}

function enumerationText(btf: Btf, id: number): string | undefined {
  const kind = btf.kindOf(id);
  if (kind !== 'enum' && kind !== 'enum64') return undefined;
  const width = kind === 'enum64' ? 64 : 32;
  return enumeratorsOf(btf, id)
    .map(({ name, bits }) => {
      const value = btf.hasFlag(id) ? BigInt.asIntN(width, bits) : bits;
      return `{"name":${JSON.stringify(name)},"val":${value}}`;
    })
    .join(',');
}

function shownName(name: string): string {
  return name === '' ? '(anon)' : name;
}
