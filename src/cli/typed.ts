import type { Command } from 'commander';

/** The command that was typed, in the words and options a failure is told in. */
export interface Typed {
  /** Without the program's name, `create map`; empty before one was recognized. */
  readonly path: string;
  /** Its own options as they are typed: `--key-as`. */
  readonly flags: ReadonlySet<string>;
  /** Whether what is sent comes from a file, whose members are called by their own names. */
  readonly isFromFile: boolean;
}

/** What there is to say before any command was recognized. */
export const nothingTyped: Typed = { path: '', flags: new Set(), isFromFile: false };

/** What is known of a command that commander is about to run. */
export function typedOf(command: Command): Typed {
  const words: string[] = [];
  for (let at = command; at.parent !== null; at = at.parent) words.unshift(at.name());
  const flags = new Set(
    command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long])),
  );
  return { path: words.join(' '), flags, isFromFile: command.opts<{ file?: string }>().file !== undefined };
}
