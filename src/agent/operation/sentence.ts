import { escapeBytes } from '../../model/path.ts';
import type { PinnedObject } from './sink.ts';

/** An object for people: `hash map 12 "tc_globals"`. */
export function describeObject(object: PinnedObject): string {
  const name = object.name === '' ? '' : ` "${escapeBytes(object.name)}"`;
  return `${object.type} ${object.kind} ${object.id}${name}`;
}

/** A path for people, in quotes. */
export function quote(path: string): string {
  return `"${escapeBytes(path)}"`;
}
