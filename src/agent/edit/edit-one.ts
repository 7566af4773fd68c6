import type { Editing } from '../../kernel/edit/edit-types.ts';
import { type EditMode, tryDelete, tryUpdate } from '../../kernel/edit/elements.ts';
import type { GivenReference } from '../../kernel/edit/reference-input.ts';
import { editRefusal } from '../../kernel/edit/refusal.ts';
import type { HeldObject, Kernel } from '../../kernel/kernel.ts';
import { PinfoldError } from '../../model/error.ts';
import type { Acceptance } from '../operation/hazards.ts';
import { currentValue, holdDisplaced, refuseLoss, whyLost } from './displaced.ts';
import { holdReference, withDescriptor } from './reference.ts';

/** A map that is open to be changed, and what its caller agrees to lose. */
export interface EditBench {
  readonly kernel: Kernel;
  readonly map: HeldObject;
  readonly editing: Editing;
  readonly acceptance: Acceptance;
}

/** One entry that is to be written, or to go. */
export type Edit =
  | {
      readonly action: 'put';
      readonly key: Buffer | undefined;
      readonly value: Buffer;
      readonly reference?: GivenReference;
      readonly mode: EditMode;
    }
  | { readonly action: 'remove'; readonly key: Buffer };

/**
 * Writes or removes one entry.
 *
 * What a slot of the map holds is let go only where something else holds it, or the caller agreed: the
 * counters are asked before and, as another holder may have gone meanwhile, once more while a descriptor of
 * ours still keeps it. It then goes back into its slot.
 *
 * @throws PinfoldError hazard, map_frozen, map_full, entry_exists, entry_not_found, source_not_found, …
 */
export function editOne(bench: EditBench, edit: Edit): void {
  const { kernel, map, editing, acceptance } = bench;
  assertFills(editing, edit);
  if (editing.rule.reference === undefined || edit.key === undefined) {
    apply(bench, edit);
    return;
  }
  const before = currentValue(map.fd, editing, edit.key);
  using displaced = holdDisplaced(kernel, editing, before);
  if (displaced === undefined || isKept(edit, displaced.id)) {
    apply(bench, edit);
    return;
  }
  const why = whyLost(kernel, displaced, 1);
  if (why !== undefined) refuseLoss(displaced, why, acceptance);
  apply(bench, edit);
  const whyNow = why === undefined ? whyLost(kernel, displaced, 0) : undefined;
  if (whyNow === undefined || before === undefined) return;
  try {
    refuseLoss(displaced, whyNow, acceptance);
  } catch (error) {
    putBack(bench, { key: edit.key, value: before }, displaced);
    throw error;
  }
}

/** Why an edit would lose an object, as its dry run tells; undefined where nothing would be lost. */
export function foreseeLoss({ kernel, map, editing }: EditBench, edit: Edit): string | undefined {
  assertFills(editing, edit);
  if (editing.rule.reference === undefined || edit.key === undefined) return undefined;
  using displaced = holdDisplaced(kernel, editing, currentValue(map.fd, editing, edit.key));
  return displaced === undefined || isKept(edit, displaced.id) ? undefined : whyLost(kernel, displaced, 1);
}

/** What is written is there afterwards; the kernel takes some zeros for a removal. @throws PinfoldError */
function assertFills({ shape, rule }: Editing, edit: Edit): void {
  if (edit.action === 'remove' || rule.isEmptiedByZero !== true || edit.value.readUInt32LE() !== 0) return;
  const { id, type } = shape.info;
  const detail = `Cannot write to map ${id} (${type}): a 0 would empty the slot; remove the entry instead.`;
  throw new PinfoldError('invalid_input', { detail, kind: 'map', id });
}

function isKept(edit: Edit, id: number): boolean {
  const { reference } = edit.action === 'put' ? edit : {};
  return reference !== undefined && reference.kind !== 'socket' && reference.id === id;
}

function apply({ kernel, map, editing }: EditBench, edit: Edit): void {
  const errno = edit.action === 'remove' ? tryDelete(map.fd, edit.key) : put(kernel, { map, editing }, edit);
  if (errno === undefined) return;
  throw editRefusal(editing, edit.action, errno);
}

function put(
  kernel: Kernel,
  { map }: Pick<EditBench, 'map' | 'editing'>,
  { key, value, reference, mode }: Extract<Edit, { readonly action: 'put' }>,
): string | undefined {
  if (reference === undefined) return tryUpdate(map.fd, { key, value }, mode);
  using held = holdReference(kernel, reference);
  return tryUpdate(map.fd, { key, value: withDescriptor(value, reference.at, held.fd) }, mode);
}

function putBack(
  { map, editing }: EditBench,
  entry: { readonly key: Buffer; readonly value: Buffer },
  displaced: HeldObject,
): void {
  const at = editing.rule.reference?.at ?? 0;
  const value = withDescriptor(entry.value, at, displaced.fd);
  const errno = tryUpdate(map.fd, { key: entry.key, value }, 'any');
  if (errno === undefined) return;
  const detail = `${displaced.kind} ${displaced.id} left its slot and could not be put back (${errno}).`;
  throw new PinfoldError('outcome_unknown', { detail, kind: displaced.kind, id: displaced.id, errno });
}
