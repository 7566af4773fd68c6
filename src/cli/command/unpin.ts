import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { urlOf } from '../../model/path.ts';
import { parsePathArgument } from '../argument.ts';
import {
  addChangeOptions,
  type ChangeFlags,
  changeQuery,
  forEachOf,
  objectOf,
  pathText,
  readPin,
  tellChange,
} from '../change.ts';
import type { Cli } from '../cli.ts';
import { argumentsOrLines } from '../read-lines.ts';

/** `pinfold unpin`: removes pins, each only if it is still what was seen. */
export function unpinCommand(cli: Cli): Command {
  const command = new Command('unpin')
    .alias('rm')
    .description('remove pins; the objects live on while anything else holds them')
    .argument('<path...>', 'pins to remove, or - to read them from standard input, one a line');
  return addChangeOptions(command).action(async (paths: string[], flags: ChangeFlags) => {
    const query = changeQuery(cli, flags);
    await forEachOf(cli, argumentsOrLines(cli.io, paths), async (word) => {
      const path = parsePathArgument(word);
      const { api } = await cli.client();
      const pin = await readPin(cli, path);
      const params = { path: { path: urlOf(path) }, query };
      const headers = { 'if-match': pin.etag };
      const answer = await readData(api.DELETE('/v1/pins/{path}', { params, headers }));
      const name = pathText(path);
      await tellChange(cli, { answer, name, sentence: `${name} unpinned (${objectOf(pin)})` });
    });
  });
}
