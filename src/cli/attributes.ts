import type { Command } from 'commander';
import { collect, parseLabels, parseNumber } from './argument.ts';
import { UsageError } from './exit.ts';

/** Options that set what a pin is like, beside what it holds. */
export interface AttributeFlags {
  readonly mode?: string;
  readonly uid?: string;
  readonly gid?: string;
  readonly label?: readonly string[];
  readonly owner?: string;
}

/** What a request sets; omitted members stay as they are. */
export interface Attributes {
  readonly mode?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly labels?: Record<string, string>;
  readonly owner?: string | null;
}

/** Adds the options of `AttributeFlags`. */
export function addAttributeOptions(command: Command): Command {
  return command
    .option('--mode <octal>', 'permission bits, such as 0640')
    .option('--uid <uid>', 'owning user by number')
    .option('--gid <gid>', 'owning group by number')
    .option(
      '--label <key=value>',
      'a label; may be repeated, and all of them are set anew; empty text for none',
      collect,
    )
    .option('--owner <owner>', 'who it is for; empty text for nobody');
}

/** Reads the options. @throws UsageError */
export function parseAttributes(flags: AttributeFlags): Attributes {
  const { mode, uid, gid, label, owner } = flags;
  if (mode !== undefined && !/^0?[0-7]{3,4}$/.test(mode))
    throw new UsageError('--mode takes octal digits, such as 0640.');
  const number = (text: string): number => parseNumber(text, { min: 0, max: 0xfffffffe });
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(uid === undefined ? {} : { uid: number(uid) }),
    ...(gid === undefined ? {} : { gid: number(gid) }),
    ...(label === undefined ? {} : { labels: parseLabels(label.filter((pair) => pair !== '')) }),
    ...(owner === undefined ? {} : { owner: owner === '' ? null : owner }),
  };
}
