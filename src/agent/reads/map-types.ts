import type { Btf } from '../../kernel/btf/btf.ts';
import { targetOf, variablesOf } from '../../kernel/btf/details.ts';
import { declaration, renderTypes, typeName } from '../../kernel/btf/render/c-source.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { MapTypes } from '../../model/schema/map-types.ts';

/**
 * What keys and values of a map are, in C, read from the kernel. The map is not held for that: its BTF is.
 *
 * @throws PinfoldError object_not_found, invalid_input where the BTF is damaged, not_supported
 */
export function readMapTypes({ objects, types }: Kernel, id: number): MapTypes {
  const info = objects.isOwn('map', id) ? undefined : objects.describe('map', id)?.info;
  if (info?.kind !== 'map') {
    throw new PinfoldError('object_not_found', { detail: `There is no map ${id}.`, kind: 'map', id });
  }
  if (info.btf_id === undefined) return { definitions: '', missing: 'it was made without types' };
  using held = objects.holdById('btf', info.btf_id);
  if (held.info.kind === 'btf' && held.info.btf_size > limits.entryBytesMax) {
    return { btf_id: info.btf_id, definitions: '', missing: 'its BTF is too large to be shown' };
  }
  return describe(types.read(held), info);
}

function describe(btf: Btf, info: MapInfo): MapTypes {
  const { btf_id, btf_key_type_id: key, btf_value_type_id: value } = info;
  const wanted = [key, value].filter((id) => id !== undefined);
  const sections = wanted.filter((id) => btf.kindOf(id) === 'datasec');
  const named = wanted.flatMap((id) =>
    sections.includes(id) ? variables(btf, id).map(({ typeId }) => typeId) : id,
  );
  const declared = sections.flatMap((id) => variables(btf, id).map(({ text }) => `${text}\n`));
  const definitions = [...renderTypes(btf, named), ...declared].join('').trimEnd();
  return {
    ...(btf_id === undefined ? {} : { btf_id }),
    ...(key === undefined ? {} : { key: reference(btf, key) }),
    ...(value === undefined ? {} : { value: reference(btf, value) }),
    definitions,
    ...(wanted.length === 0 ? { missing: 'its types are named neither for keys nor for values' } : {}),
  };
}

/** What a section of data consists of: its variables, as they are declared. */
function variables(btf: Btf, section: number): readonly { readonly typeId: number; readonly text: string }[] {
  return variablesOf(btf, section).map(({ typeId: variable, offset }) => {
    const typeId = targetOf(btf, variable);
    return { typeId, text: `${declaration(btf, typeId, btf.nameOf(variable))}; /* at ${offset} */` };
  });
}

function reference(btf: Btf, id: number): NonNullable<MapTypes['key']> {
  const bytes = btf.sizeOf(id);
  // A section of data has no name in C: its variables are what it consists of.
  const name = btf.kindOf(id) === 'datasec' ? btf.nameOf(id) : typeName(btf, id);
  return { type_id: id, name, ...(bytes === undefined ? {} : { bytes }) };
}
