/**
 * Goes through the entries of a map, a buffer full at a time.
 *
 * After `read` the first entries of `keys` and `values` are those just read; the next `read` overwrites them.
 */
export interface EntryReader {
  readonly keys: Buffer;
  readonly values: Buffer;
  readonly isDone: boolean;
  /** Set where the map changed so much that reading was given up before its end. */
  readonly isGivenUp: boolean;
  /** Where reading goes on, for a reader of the same map later; undefined at the beginning. */
  readonly position: Buffer | undefined;
  /**
   * Reads on: about `atMost` entries, more where the kernel has so many in one bucket. 0 does not mean the
   * end. @throws SystemCallError
   */
  read(atMost: number): number;
}

/** Gives the buffers a reader reads into; what is in them before does not matter. */
export type Allocate = (size: number) => Buffer;
