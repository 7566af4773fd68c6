import { hash } from 'node:crypto';
import type { EventRow } from './event-row.ts';

/** What a row and its entries in indices take beyond that text (test/unit/history-retention.test.ts). */
const rowBytes = 64;

/** A row's place in the chain. */
export interface Link {
  /** SHA-256, 32 bytes. */
  readonly hash: Uint8Array;
  /** What the row takes in the database, about. */
  readonly size: number;
}

/**
 * Links a row to the one before it: SHA-256 of that one's hash in 64 lower-case hexadecimal digits, a line
 * feed, and the row as a JSON array of its columns in the order below, as JSON.stringify writes it (no
 * spaces; nothing escaped that RFC 8259 does not ask for) in UTF-8. Paths are hexadecimal digits of their
 * bytes; `before` and `after` the texts that are stored. docs/history.md has a program that checks it.
 */
export function linkTo(previous: Uint8Array, row: EventRow): Link {
  const text = `${hexOf(previous)}\n${canonicalText(row)}`;
  return { hash: hash('sha256', text, 'buffer'), size: rowBytes + Buffer.byteLength(text) };
}

function canonicalText(row: EventRow): string {
  return JSON.stringify([
    row.seq,
    row.time,
    row.node,
    row.boot_id,
    row.type,
    row.mount,
    row.path && hexOf(row.path),
    row.path_left && hexOf(row.path_left),
    row.kind,
    row.object_id,
    row.object_type,
    row.object_name,
    row.actor,
    row.unit,
    row.operation_id,
    row.before,
    row.after,
  ]);
}

/** Bytes as lower-case hexadecimal digits. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
