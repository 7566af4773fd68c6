import type { Readable, Writable } from 'node:stream';

/** Everything the command line touches of its process; `main.ts` hands out the real ones, tests their own. */
export interface Io {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Which of the three are terminals: boxes, hints and progress are for those alone. */
  readonly isTTY: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  /** Width of the terminal in cells, as it is now. */
  readonly columns: number;
  /** Its height in lines, as it is now. */
  readonly rows: number;
  /** Wall-clock time, for ages. */
  now(): Date;
}
