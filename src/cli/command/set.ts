import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { urlOf } from '../../model/path.ts';
import { parsePathArgument } from '../argument.ts';
import { type AttributeFlags, addAttributeOptions, parseAttributes } from '../attributes.ts';
import {
  addChangeOptions,
  type ChangeFlags,
  changeQuery,
  forEachOf,
  pathText,
  readPin,
  tellChange,
} from '../change.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../exit.ts';
import { argumentsOrLines } from '../read-lines.ts';

/** `pinfold set`: mode, user, group, labels and owner of pins. */
export function setCommand(cli: Cli): Command {
  const command = new Command('set')
    .description('change the mode, user, group, labels or owner of pins')
    .argument('<path...>', 'pins, or - to read them from standard input, one a line');
  return addChangeOptions(addAttributeOptions(command)).action(
    async (paths: string[], flags: ChangeFlags & AttributeFlags) => {
      const body = parseAttributes(flags);
      const changed = Object.keys(body);
      if (changed.length === 0)
        throw new UsageError('Say what to set: --mode, --uid, --gid, --label or --owner.');
      const query = changeQuery(cli, flags);
      await forEachOf(cli, argumentsOrLines(cli.io, paths), async (word) => {
        const path = parsePathArgument(word);
        const { api } = await cli.client();
        const pin = await readPin(cli, path);
        const params = { path: { path: urlOf(path) }, query };
        const headers = { 'if-match': pin.etag };
        const answer = await readData(api.PATCH('/v1/pins/{path}', { params, body, headers }));
        const name = pathText(path);
        await tellChange(cli, { answer, name, sentence: `${name} changed (${changed.join(', ')})` });
      });
    },
  );
}
