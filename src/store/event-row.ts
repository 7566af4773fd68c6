import { pathMembers } from '../model/path.ts';
import type { EventDocument, EventSubject, EventType, NewEvent } from '../model/schema/event.ts';
import { parseSide } from './json.ts';

/** One row of the table `event`, but for what its place in the chain adds. */
export interface EventRow {
  readonly seq: number;
  readonly time: string;
  readonly node: string;
  readonly boot_id: string;
  readonly type: EventType;
  readonly mount: string | null;
  readonly path: Uint8Array | null;
  readonly path_left: Uint8Array | null;
  readonly kind: string | null;
  readonly object_id: number | null;
  readonly object_type: string | null;
  readonly object_name: string | null;
  readonly actor: string;
  readonly unit: string | null;
  readonly operation_id: string | null;
  readonly before: string | null;
  readonly after: string | null;
}

/**
 * The row of an event that has its number. Its members are written out: a literal that begins with another
 * object's takes a hundred times as long, and this is done for every change.
 */
export function rowOf(event: NewEvent, stamp: Pick<EventDocument, 'seq' | 'node' | 'boot_id'>): EventRow {
  const { subject } = event;
  return {
    seq: stamp.seq,
    node: stamp.node,
    boot_id: stamp.boot_id,
    time: event.time,
    type: event.type,
    mount: subject.mount ?? null,
    path: pathOf(subject),
    path_left: pathLeftBy(event),
    kind: subject.kind ?? null,
    object_id: subject.id ?? null,
    object_type: subject.type ?? null,
    object_name: subject.name ?? null,
    actor: event.actor,
    unit: event.unit ?? null,
    operation_id: event.operation_id ?? null,
    before: textOf(event.before),
    after: textOf(event.after),
  };
}

/** The event that was given this stamp, in the order of a row's members; see there why it is written out. */
export function stamped(
  event: NewEvent,
  stamp: Pick<EventDocument, 'seq' | 'node' | 'boot_id'>,
): EventDocument {
  const document: EventDocument = {
    seq: stamp.seq,
    node: stamp.node,
    boot_id: stamp.boot_id,
    time: event.time,
    type: event.type,
    subject: event.subject,
    before: event.before,
    after: event.after,
    actor: event.actor,
  };
  if (event.unit !== undefined) document.unit = event.unit;
  if (event.operation_id !== undefined) document.operation_id = event.operation_id;
  return document;
}

/** The event of a row. */
export function documentOf(row: EventRow): EventDocument {
  const document: EventDocument = {
    seq: row.seq,
    time: row.time,
    node: row.node,
    boot_id: row.boot_id,
    type: row.type,
    subject: subjectOf(row),
    before: parseSide(row.before),
    after: parseSide(row.after),
    actor: row.actor,
  };
  if (row.unit !== null) document.unit = row.unit;
  if (row.operation_id !== null) document.operation_id = row.operation_id;
  return document;
}

function subjectOf(row: EventRow): EventSubject {
  const subject: EventSubject = {};
  if (row.mount !== null) subject.mount = row.mount;
  if (row.path !== null) Object.assign(subject, pathMembers(Buffer.from(row.path).toString('latin1')));
  if (row.kind !== null) subject.kind = row.kind;
  if (row.object_id !== null) subject.id = row.object_id;
  if (row.object_type !== null) subject.type = row.object_type;
  if (row.object_name !== null) subject.name = row.object_name;
  return subject;
}

/** The other name that a pin had: of a rename, and of a pin that was moved over another. */
function pathLeftBy({ type, before, after }: NewEvent): Uint8Array | null {
  if (type === 'pin.renamed') return pathOf(before);
  return type === 'pin.replaced' ? pathOf(after?.['renamed_from']) : null;
}

/** The bytes of the path that a document carries. */
function pathOf(document: unknown): Uint8Array | null {
  if (typeof document !== 'object' || document === null) return null;
  const { path, path_bytes: bytes }: { readonly path?: unknown; readonly path_bytes?: unknown } = document;
  if (typeof bytes === 'string') return Buffer.from(bytes, 'base64');
  return typeof path === 'string' ? Buffer.from(path, 'utf8') : null;
}

function textOf(side: NewEvent['before']): string | null {
  return side === null ? null : JSON.stringify(side);
}
