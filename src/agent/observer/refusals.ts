import { isPinfoldError } from '../../model/error.ts';

/** Something is mounted over the name, or this user may not look into it. */
export function isOutOfSight(error: unknown): boolean {
  return isPinfoldError(error, 'crosses_mount') || isPinfoldError(error, 'permission_denied');
}

/** The directory went, or became something else, while it was on the list. */
export function isGone(error: unknown): boolean {
  return ['directory_not_found', 'parent_not_found', 'not_a_directory', 'symlink'].some(
    (code) => isPinfoldError(error) && error.code === code,
  );
}

/** Conditions of the machine that say nothing about the pin. */
export function isPassing(error: unknown): boolean {
  return isPinfoldError(error, 'out_of_memory') || isPinfoldError(error, 'overloaded');
}
