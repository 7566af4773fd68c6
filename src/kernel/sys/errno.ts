import { constants } from 'node:os';

/**
 * ENOTSUPP, which the kernel keeps for itself (include/linux/errno.h) and yet lets through bpf(2); libc has
 * no name for it.
 */
const kernelOnlyNames: readonly (readonly [string, number])[] = [['ENOTSUPP', 524]];

/** Where two names share a number, the one the kernel's sources use comes last and wins. */
const nameByNumber: ReadonlyMap<number, string> = new Map([
  ...Object.entries(constants.errno).map(([name, number]): [number, string] => [number, name]),
  [constants.errno.EAGAIN, 'EAGAIN'],
  [constants.errno.EOPNOTSUPP, 'EOPNOTSUPP'],
  ...kernelOnlyNames.map(([name, number]): [number, string] => [number, name]),
]);

/** The name of an errno value, such as `EEXIST`; `E<number>` for one nobody has named. */
export function errnoName(number: number): string {
  return nameByNumber.get(number) ?? `E${number}`;
}

/**
 * A system call that failed. `src/kernel` turns it into a PinfoldError where the meaning is known;
 * one that travels further is a defect or a condition nobody foresaw.
 */
export class SystemCallError extends Error {
  /** What was called, such as `openat2` or `bpf(BPF_OBJ_PIN)`. */
  readonly syscall: string;
  /** The errno's name, such as `EEXIST`. */
  readonly errno: string;

  constructor(syscall: string, errno: string) {
    super(`${syscall} failed with ${errno}`);
    this.name = 'SystemCallError';
    this.syscall = syscall;
    this.errno = errno;
  }
}

/** Tells whether something thrown is a failed system call, optionally with one of these errno names. */
export function isSystemCallError(thrown: unknown, ...errnos: readonly string[]): thrown is SystemCallError {
  return thrown instanceof SystemCallError && (errnos.length === 0 || errnos.includes(thrown.errno));
}
