import type { BpfObject } from '../../client/documents.ts';
import type { ObjectKind } from '../../model/kind.ts';
import { ageColumn, shown, shownPath } from './cell.ts';
import type { Column, FilterName } from './resource.ts';

/** What every kind of object has in common. */
export type AnyObject = Pick<BpfObject, 'kind' | 'id' | 'type' | 'pins' | 'references' | 'first_seen'>;

/** What lists of one kind can be narrowed by. */
export const objectFilters: readonly FilterName[] = ['type', 'name', 'pinned', 'held_by', 'fresh'];

/** The id, which is how people address an object. */
export const idColumn: Column<AnyObject> = {
  title: 'ID',
  align: 'right',
  cell: (object) => shown(object.id),
};

/** The type as bpftool names it. */
export const typeColumn: Column<AnyObject> = { title: 'TYPE', cell: (object) => shown(object.type) };

/** Who holds it: the kernel's counter, pins among that; then how long it is known and where it is pinned. */
export const holderColumns: readonly Column<AnyObject>[] = [
  { title: 'REFS', align: 'right', cell: (object) => shown(object.references.refcnt) },
  { title: 'PINS', align: 'right', cell: (object) => shown(object.references.pins) },
  ageColumn((object) => object.first_seen),
  { title: 'PINNED AT', isWide: true, cell: (object) => object.pins.map(shownPath).join(', ') },
];

/** An object as it is typed as a source or an argument: `map:5`. */
export function objectName(object: { readonly kind: ObjectKind; readonly id: number }): string {
  return `${object.kind}:${object.id}`;
}
