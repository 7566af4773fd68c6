import { Command } from 'commander';
import { readAnswer } from '../../client/pinfold-client.ts';
import { urlOf } from '../../model/path.ts';
import { parsePathArgument } from '../argument.ts';
import { type AttributeFlags, addAttributeOptions, parseAttributes } from '../attributes.ts';
import { addChangeOptions, type ChangeFlags, changeQuery, findPin, pathText, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { resolveSource, type SourceFlags } from '../source.ts';

interface PinFlags extends ChangeFlags, AttributeFlags, SourceFlags {
  readonly replace?: boolean;
  readonly parents?: boolean;
}

/** `pinfold pin`: makes a path hold an object. */
export function pinCommand(cli: Cli): Command {
  const command = new Command('pin')
    .description('make a path hold an object; the same object there already is fine')
    .argument('<source>', 'map:5, program:12, link:3, pin:other/path or pid:812/fd:7')
    .argument('<path>', 'where, inside the bpffs')
    .option('--replace', 'put it in the place of another object, without a gap')
    .option('--parents', 'make missing directories')
    .option('--source-mount <major:minor>', 'the instance of a pin: source, where it is another one')
    .option('--start-time <ticks>', 'of a pid: source, field 22 of /proc/PID/stat')
    .option('--expect-name <name>', 'refuse unless the object has this name')
    .option('--expect-type <type>', 'refuse unless it has this type')
    .option('--expect-tag <tag>', 'refuse unless the program has this tag')
    .option('--expect-fingerprint <fingerprint>', 'refuse unless it has this fingerprint');
  return addChangeOptions(addAttributeOptions(command)).action(
    async (source: string, path: string, flags: PinFlags) => await pin(cli, { source, path, flags }),
  );
}

async function pin(
  cli: Cli,
  given: { readonly source: string; readonly path: string; readonly flags: PinFlags },
): Promise<void> {
  const { flags } = given;
  const path = parsePathArgument(given.path);
  const query = changeQuery(cli, flags);
  const attributes = parseAttributes(flags);
  const { source, words } = await resolveSource(cli, given.source, flags);
  const body = {
    source,
    ...attributes,
    ...(flags.replace === true ? { replace: true } : {}),
    ...(flags.parents === true ? { parents: true } : {}),
  };
  const { api } = await cli.client();
  const headers = flags.replace === true ? await replaceOnlyWhatIsThere(cli, given.path) : {};
  const params = { path: { path: urlOf(path) }, query };
  const { data: answer, status } = await readAnswer(api.PUT('/v1/pins/{path}', { params, body, headers }));
  const name = pathText(path);
  const verb = status === 201 ? 'pinned' : headers['if-match'] === undefined ? 'is as asked' : 'holds it now';
  await tellChange(cli, { answer, name, sentence: `${name} ${verb} (${words})` });
}

/** The condition under which a replacement is meant: the pin seen now, or none. */
async function replaceOnlyWhatIsThere(cli: Cli, path: string): Promise<Record<string, string>> {
  const there = await findPin(cli, parsePathArgument(path));
  return there === undefined ? { 'if-none-match': '*' } : { 'if-match': there.etag };
}
