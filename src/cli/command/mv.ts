import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { urlOf } from '../../model/path.ts';
import { parsePathArgument, pathBody } from '../argument.ts';
import {
  addChangeOptions,
  type ChangeFlags,
  changeQuery,
  objectOf,
  pathText,
  readPin,
  tellChange,
} from '../change.ts';
import type { Cli } from '../cli.ts';

interface MvFlags extends ChangeFlags {
  readonly replace?: boolean;
  readonly parents?: boolean;
}

/** `pinfold mv`: renames a pin within its bpffs. */
export function mvCommand(cli: Cli): Command {
  const command = new Command('mv')
    .description('rename a pin; labels and owner go with it')
    .argument('<path>', 'the pin')
    .argument('<new-path>', 'its new path')
    .option('--replace', 'take the place of another pin, without a gap')
    .option('--parents', 'make missing directories');
  return addChangeOptions(command).action(async (from: string, to: string, flags: MvFlags) => {
    const path = parsePathArgument(from);
    const target = parsePathArgument(to);
    const query = changeQuery(cli, flags);
    const pin = await readPin(cli, path);
    const body = {
      ...pathBody(target),
      ...(flags.replace === true ? { replace: true } : {}),
      ...(flags.parents === true ? { parents: true } : {}),
    };
    const params = { path: { path: urlOf(path) }, query };
    const headers = { 'if-match': pin.etag };
    const { api } = await cli.client();
    const answer = await readData(api.PATCH('/v1/pins/{path}', { params, body, headers }));
    const name = pathText(target);
    await tellChange(cli, { answer, name, sentence: `${pathText(path)} is now ${name} (${objectOf(pin)})` });
  });
}
