import { makeMap } from '../../kernel/create/make-map.ts';
import {
  findType,
  type OpenBtf,
  openMapBtf,
  openUnusedBtf,
  whyNotTypes,
} from '../../kernel/create/map-btf.ts';
import { memoryOf } from '../../kernel/create/memory.ts';
import { recipeOf } from '../../kernel/create/recipe.ts';
import type { HeldObject } from '../../kernel/kernel.ts';
import type { Fd } from '../../kernel/sys/fd.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { Wanted } from '../../model/map-rule/complaints.ts';
import { parsePath } from '../../model/path.ts';
import type { InnerMap, MapBtf, MapSpecification } from '../../model/schema/map-specification.ts';
import { forPart } from '../operation/about.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import { holdObjectAt } from '../operation/pin-state.ts';
import { asSource } from '../operation/source.ts';

/**
 * Makes the map of a specification, empty. Templates and BTF that were opened for it are closed again: the
 * kernel keeps what it needs of them.
 *
 * @throws PinfoldError invalid_input with pointers, source_not_found, out_of_memory, permission_denied
 */
export function openMap(environment: OperationEnvironment, spec: MapSpecification): HeldObject {
  const bytesMax = spec.memory_max ?? limits.mapMemoryDefault;
  return build(environment, spec, { pointer: '/body', name: spec.name ?? '', bytesMax });
}

/** What is made: of which part of the request, under which name, and how much memory it may take. */
interface Making {
  readonly pointer: string;
  readonly name: string;
  readonly bytesMax: number;
}

function build(environment: OperationEnvironment, wanted: Wanted, making: Making): HeldObject {
  const { pointer, name } = making;
  const recipe = recipeOf(wanted, pointer);
  const { kernel } = environment;
  assertFits(memoryOf(wanted, kernel.facts.cpus.possible), making);
  using inner = wanted.inner === undefined ? undefined : holdTemplate(environment, wanted.inner, making);
  using btf = new BtfInUse(environment, wanted.btf, `${pointer}/btf`);
  const vmlinuxValueTypeId = kernelType(environment, wanted.btf, `${pointer}/btf`);
  const { extra, flags, keySize, maxEntries, numaNode, type, valueSize } = recipe;
  try {
    return makeMap(
      {
        ...{ type, name, keySize, valueSize, maxEntries, flags, numaNode, extra },
        ...(inner === undefined ? {} : { inner: inner.fd }),
        ...(btf.open === undefined ? {} : { btf: btf.open }),
        ...(vmlinuxValueTypeId === undefined ? {} : { vmlinuxValueTypeId }),
      },
      { type: wanted.type, pointer, fds: kernel.fds },
    );
  } catch (error) {
    const isRefused = isPinfoldError(error, 'invalid_input') && error.details.errno === 'EINVAL';
    if (!isRefused || btf.open === undefined) throw error;
    throw whyNotTypes(btf.open, { keySize, valueSize }, `${pointer}/btf`) ?? error;
  }
}

/**
 * The kernel takes the memory of most maps at once: a digit too many must not take all of the machine's.
 *
 * @throws PinfoldError invalid_input
 */
function assertFits(bytes: number, { pointer, bytesMax }: Making): void {
  if (bytes <= bytesMax) return;
  const detail =
    `so many entries take about ${bytes} bytes at once, and ${bytesMax} are allowed; ` +
    'a larger "memory_max" in the request allows more';
  throw new PinfoldError('invalid_input', {
    detail: `The map is not made: ${detail}.`,
    memory_bytes: bytes,
    memory_max: bytesMax,
    errors: [{ pointer: `${pointer}/max_entries`, detail }],
  });
}

/** Maps of maps take a template by its descriptor, which is only looked at (bpf_map_meta_alloc). */
function holdTemplate(environment: OperationEnvironment, inner: InnerMap, making: Making): HeldObject {
  const where = `${making.pointer}/inner`;
  if ('type' in inner) return build(environment, inner, { ...making, pointer: where, name: '' });
  return holdMap(environment, 'id' in inner ? { map: inner.id } : inner, where);
}

/** The BTF a map is made with, closed when it is made. */
class BtfInUse implements Disposable {
  readonly open: OpenBtf | undefined;

  constructor(environment: OperationEnvironment, btf: MapBtf | undefined, pointer: string) {
    const isOfKernel = btf?.vmlinux_value_type_id !== undefined || btf?.vmlinux_value_type !== undefined;
    const isNamed = [btf?.blob_base64, btf?.map, btf?.pin].some((source) => source !== undefined);
    if (btf === undefined) return;
    if (isOfKernel && !isNamed) {
      this.open = openUnusedBtf(environment.kernel.fds);
      return;
    }
    const isOfMap = btf.map !== undefined || btf.pin !== undefined;
    using map = isOfMap ? holdMap(environment, btf, pointer) : undefined;
    this.open = openMapBtf(btf, { fds: environment.kernel.fds, map }, pointer);
  }

  [Symbol.dispose](): void {
    this.open?.fd[Symbol.dispose]();
  }
}

function kernelType(
  { kernel }: OperationEnvironment,
  btf: MapBtf | undefined,
  pointer: string,
): number | undefined {
  const name = btf?.vmlinux_value_type;
  if (name === undefined) return btf?.vmlinux_value_type_id;
  const id = findType(kernel.types.ofKernel(), name);
  if (id !== undefined) return id;
  const detail = `the kernel has no type ${JSON.stringify(name)}`;
  throw new PinfoldError('invalid_input', {
    detail: `The map cannot be made like this: ${detail}.`,
    errors: [{ pointer: `${pointer}/vmlinux_value_type`, detail }],
  });
}

/** @throws PinfoldError source_not_found, invalid_input where it is no map */
function holdMap(
  environment: OperationEnvironment,
  named: { readonly map?: number; readonly pin?: string },
  pointer: string,
): HeldObject & { readonly fd: Fd } {
  const held = findMap(environment, named, pointer);
  if (held.kind === 'map') return held;
  held[Symbol.dispose]();
  throw notA('map', pointer);
}

function findMap(
  { kernel, mounts }: OperationEnvironment,
  { map, pin }: { readonly map?: number; readonly pin?: string },
  pointer: string,
): HeldObject {
  return forPart(pointer, () =>
    asSource({}, () => {
      if (map !== undefined) return kernel.objects.holdById('map', map);
      using root = kernel.bpffs.openRoot(mounts.findMount(undefined));
      return holdObjectAt(kernel, root, parsePath(pin ?? ''));
    }),
  );
}

function notA(what: string, pointer: string): PinfoldError {
  const detail = `is no ${what}`;
  return new PinfoldError('invalid_input', {
    detail: `The map cannot be made like this: what ${pointer} names ${detail}.`,
    errors: [{ pointer, detail }],
  });
}
