import { cursorOf, middleBucket } from '../../kernel/entries/buckets.ts';
import { shapeOf } from '../../kernel/entries/map-shape.ts';
import type { HeldObject } from '../../kernel/kernel.ts';
import { formatPosition } from './position.ts';
import { naming } from './reading.ts';

/**
 * Where the two halves of a large hash begin, and where the first ends; or the beginning of another map.
 *
 * @throws PinfoldError not_readable, not_supported, permission_denied, out_of_memory
 */
export function halves({ fd, info }: HeldObject, possibleCpus: number): readonly (string | undefined)[] {
  if (info.kind !== 'map') throw new Error(`a ${info.kind} has no entries`);
  const shape = shapeOf(info, possibleCpus);
  const middle = naming(info, () => middleBucket(fd, shape));
  if (middle === undefined) return [undefined];
  return [
    formatPosition({ kernel: undefined, skip: 0, before: middle }),
    formatPosition({ kernel: cursorOf(middle), skip: 0 }),
  ];
}
