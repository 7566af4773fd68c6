import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import type { SpecifiedKind } from '../../model/schema/specification.ts';
import { parseNumber, parseTextPath } from '../argument.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../exit.ts';
import { ageOf } from '../format/age.ts';
import { formatYaml } from '../format/document.ts';
import { mapHelp, resolveMap } from '../map-argument.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';
import { programHelp, resolveProgram } from '../program-argument.ts';

interface SpecFlags {
  readonly gone?: boolean;
  readonly fingerprint?: string;
}

interface MapFlags extends SpecFlags {
  readonly entries?: boolean;
  readonly limit?: string;
}

/** The most entries the agent puts into a specification. */
const entriesMax = 5000;

/** `pinfold spec`: what maps and programs were made with. */
export function specCommand(cli: Cli): Command {
  return new Command('spec')
    .description('print what a map or program was made with, also of one that is gone')
    .addCommand(specMapCommand(cli))
    .addCommand(specProgramCommand(cli));
}

function specMapCommand(cli: Cli): Command {
  const command = new Command('map')
    .description('all that makes an equal map: what pinfold create map -f takes')
    .argument('<map>', mapHelp)
    .option('--entries', 'with what is in it; for a frozen map this is the default')
    .option('--no-entries', 'without what is in it')
    .option('--limit <count>', `so many entries at most (default: ${entriesMax}, which is also the most)`);
  return addChoice(command).action(async (text: string, flags: MapFlags) => {
    const { limit: most = String(entriesMax), entries } = flags;
    if (entries === false && flags.limit !== undefined)
      throw new UsageError('--limit does not go with --no-entries.');
    const limit = parseNumber(most, { min: 1, max: entriesMax });
    const { id, query } = await choose(cli, { kind: 'map', text, flags }, resolveMap);
    const { api } = await cli.client();
    const read = async (filled: { readonly entries?: boolean; readonly limit?: number }) =>
      await readData(
        api.GET('/v1/maps/{id}/spec', { params: { path: { id }, query: { ...query, ...filled } } }),
      );
    const isWanted = entries === true || flags.limit !== undefined;
    const specification = await read(isWanted ? { entries: true, limit } : {});
    const isFrozen = specification.freeze === true && specification.about?.state === 'present';
    const isDefault = entries === undefined && !isWanted && isFrozen;
    await print(cli, isDefault ? await read({ entries: true, limit }) : specification);
  });
}

function specProgramCommand(cli: Cli): Command {
  const command = new Command('program')
    .alias('prog')
    .description('what is known of how a program was made; not_recoverable says what is not')
    .argument('<program>', programHelp);
  return addChoice(command).action(async (text: string, flags: SpecFlags) => {
    const { id, query } = await choose(cli, { kind: 'program', text, flags }, resolveProgram);
    const { api } = await cli.client();
    await print(cli, await readData(api.GET('/v1/programs/{id}/spec', { params: { path: { id }, query } })));
  });
}

function addChoice(command: Command): Command {
  return command
    .option('--gone', 'the last one with that name or path that is gone')
    .option('--fingerprint <fingerprint>', 'which of the objects that had this id');
}

interface Wanted {
  readonly kind: SpecifiedKind;
  readonly text: string;
  readonly flags: SpecFlags;
}

interface Chosen {
  readonly id: string;
  readonly query: { readonly fingerprint?: string };
}

/** Which object is meant: an id, what is there now, or, with --gone, what the agent remembers. */
async function choose(
  cli: Cli,
  { kind, text, flags }: Wanted,
  resolve: (cli: Cli, text: string) => Promise<string>,
): Promise<Chosen> {
  const { fingerprint, gone } = flags;
  const query = fingerprint === undefined ? {} : { fingerprint };
  if (gone !== true || /^([a-z]+:)?\d+$/.test(text)) return { id: await resolve(cli, text), query };
  const found = await findGone(cli, kind, text);
  const since = found.gone_at === undefined ? '' : `, gone ${ageOf(found.gone_at, cli.io.now())} ago`;
  await cli.err.line(`${kind}:${found.id}${since}`);
  return { id: String(found.id), query: { fingerprint: found.fingerprint, ...query } };
}

/** The newest that is gone and was pinned there, or was called so. @throws UsageError, ClientError */
async function findGone(cli: Cli, kind: SpecifiedKind, text: string) {
  const client = await cli.client();
  const state = 'gone' as const;
  if (!text.includes('.')) {
    const filters = { kind, state, path: parseTextPath(text) };
    for await (const item of client.list('/v1/specifications', filters, 1)) return item;
  }
  for await (const item of client.list('/v1/specifications', { kind, state, name: text }, 1)) return item;
  throw new UsageError(`No ${kind} that is gone was pinned at or called ${escapeText(text)}.`);
}

/** It is a document in every format; for people it is YAML, which `create map -f` takes. */
async function print(cli: Cli, specification: unknown): Promise<void> {
  if (wantsDocument(cli)) return await printDocument(cli, specification);
  await cli.out.line(formatYaml(specification));
}
