import { Command, Option } from 'commander';
import { readAnswer } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { editModes } from '../../model/word-lists.ts';
import { addChangeOptions, type ChangeFlags, hazardQuery, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { addEntryOptions, type EntryFlags, type EntryQuery, entryQuery } from '../entry-options.ts';
import { type EntryText, parseEntryText } from '../entry-text.ts';
import { mapHelp, resolveMap } from '../map-argument.ts';

interface PutFlags extends ChangeFlags, EntryFlags {
  readonly mode: (typeof editModes)[number];
}

/** `pinfold entry put`: writes one entry. */
export function entryPutCommand(cli: Cli): Command {
  const command = new Command('put')
    .description('write one entry of a map')
    .argument('<map>', mapHelp)
    .argument('<key>', 'as dump writes it: 5, 10.0.0.0/8, {"port":80}; or hex:0a000001')
    .argument('<value>', 'as dump writes it, or hex:…; of a per-CPU map, for every CPU')
    .addOption(
      new Option('--mode <mode>', 'create: only where there is none; update: only where there is one')
        .choices(editModes)
        .default('any'),
    );
  return addChangeOptions(addEntryOptions(command)).action(
    async (map: string, key: string, value: string, flags: PutFlags) => {
      const hazards = hazardQuery(flags);
      const id = await resolveMap(cli, map);
      const { status, answer } = await put(cli, {
        id,
        key: parseEntryText(key),
        value: parseEntryText(value),
        flags,
        hazards,
      });
      const name = `map:${id} ${escapeText(key)}`;
      await tellChange(cli, { answer, name, sentence: `${name} ${status === 201 ? 'created' : 'written'}` });
    },
  );
}

/** By the bytes of the key where they were given; bytes of the value make it a raw one. */
async function put(
  cli: Cli,
  given: {
    readonly id: string;
    readonly key: EntryText;
    readonly value: EntryText;
    readonly flags: PutFlags;
    readonly hazards: ReturnType<typeof hazardQuery>;
  },
): Promise<{ readonly status: number; readonly answer: unknown }> {
  const { id, key, value, flags, hazards } = given;
  const { api } = await cli.client();
  const query = { ...bytesQuery(key, value), ...entryQuery(flags), ...hazards };
  const body = { value: 'hex' in value ? value.hex : JSON.parse(value.json), mode: flags.mode };
  const { status, data } = await readAnswer(
    'hex' in key
      ? api.PUT('/v1/maps/{id}/entries/{hex}', { params: { path: { id, hex: key.hex }, query }, body })
      : api.PUT('/v1/maps/{id}/entry', {
          params: { path: { id }, query: { ...query, key: key.json } },
          body,
        }),
  );
  return { status, answer: data };
}

/** How bytes of a value are meant: beside bytes of a key as they are, otherwise for what has no types. */
function bytesQuery(key: EntryText, value: EntryText): EntryQuery {
  if (!('hex' in value)) return {};
  return 'hex' in key ? { format: 'raw' } : { value_as: 'hex' };
}
