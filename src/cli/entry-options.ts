import { type Command, Option } from 'commander';
import { type EntryFormat, entryFormats, type View, views } from '../model/word-lists.ts';

/** How entries are wanted; commander has checked the words. */
export interface EntryFlags {
  readonly format?: EntryFormat;
  readonly keyAs?: View;
  readonly valueAs?: View;
}

/** The same as a query. */
export interface EntryQuery {
  readonly format?: EntryFormat;
  readonly key_as?: View;
  readonly value_as?: View;
}

/** Adds the options of `EntryFlags`. */
export function addEntryOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--format <format>',
        'by types (default where there are any), in hexadecimal (else), or as bpftool prints it',
      ).choices(entryFormats),
    )
    .addOption(new Option('--key-as <view>', 'what keys without BTF are').choices(views))
    .addOption(new Option('--value-as <view>', 'what values without BTF are').choices(views));
}

/** The options as the API takes them. */
export function entryQuery({ format, keyAs, valueAs }: EntryFlags): EntryQuery {
  return {
    ...(format === undefined ? {} : { format }),
    ...(keyAs === undefined ? {} : { key_as: keyAs }),
    ...(valueAs === undefined ? {} : { value_as: valueAs }),
  };
}
