import type { Btf } from './btf.ts';
import { arrayOf, targetOf, variablesOf } from './details.ts';
import { btfLimits } from './limits.ts';

/** Sections that compilers and libbpf keep constants in. */
const constantSection = /^\.rodata|^\.kconfig/;

/**
 * The variables of a data section of constants; none for any other type, and for a section with a variable
 * that may change.
 *
 * @throws PinfoldError invalid_input for damaged BTF
 */
export function constantsOf(btf: Btf, sectionId: number): readonly string[] {
  if (sectionId > btf.typeCount || btf.kindOf(sectionId) !== 'datasec') return [];
  const variables = variablesOf(btf, sectionId).map(({ typeId }) => typeId);
  const isConstant = constantSection.test(btf.nameOf(sectionId));
  if (!isConstant && !variables.every((id) => isConst(btf, targetOf(btf, id)))) return [];
  return variables.map((id) => btf.nameOf(id));
}

/** Whether `const` qualifies a type, or the elements of an array. */
function isConst(btf: Btf, typeId: number): boolean {
  let id = typeId;
  for (let depth = 0; depth <= btfLimits.depthMax; depth++) {
    switch (btf.kindOf(id)) {
      case 'const':
        return true;
      case 'volatile':
      case 'restrict':
      case 'typedef':
      case 'type_tag':
        id = targetOf(btf, id);
        break;
      case 'array':
        id = arrayOf(btf, id).elementId;
        break;
      default:
        return false;
    }
  }
  return false;
}
