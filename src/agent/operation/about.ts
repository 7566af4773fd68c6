import { isPinfoldError, PinfoldError } from '../../model/error.ts';

/**
 * Says of an expected failure which part of a body it is about, as a JSON pointer into the request
 * (`/body/operations/3`). Pointers it has already are of that part alone, and lead on from there. What is no
 * expected failure, or is about no part by itself, stays as it is.
 */
export function about(pointer: string | undefined, thrown: unknown): unknown {
  if (pointer === undefined || !isPinfoldError(thrown)) return thrown;
  const { errors = [{ pointer: '/body', detail: thrown.message }] } = thrown.details;
  const told = errors.map((one) => ({ ...one, pointer: one.pointer.replace(/^\/body(?![^/])/, pointer) }));
  return new PinfoldError(thrown.code, { ...thrown.details, errors: told }, thrown.cause);
}

/** Runs something for a part of a body; an expected failure then says which part that was. */
export function forPart<Result>(pointer: string | undefined, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw about(pointer, error);
  }
}
