import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { urlOfOwner } from '../../model/claim/owner.ts';
import { escapeName, escapeText } from '../../model/escape.ts';
import { bytesOf } from '../../model/path.ts';
import { addChangeOptions, type ChangeFlags, hazardQuery, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { parseOwnerArgument } from '../owner-argument.ts';
import { shownPath } from '../resource/cell.ts';

interface ReleaseFlags extends ChangeFlags {
  readonly unpinUnclaimed?: boolean;
}

/** `pinfold release`: an owner needs its pins no longer. */
export function releaseCommand(cli: Cli): Command {
  const command = new Command('release')
    .description('end the claim of an owner; its pins stay, unless they are to go with it')
    .argument('<owner>', 'as it was claimed')
    .option('--unpin-unclaimed', 'remove the pins that nobody else claims, all of them or none');
  return addChangeOptions(command).action(async (name: string, flags: ReleaseFlags) => {
    const owner = parseOwnerArgument(name);
    const { api } = await cli.client();
    const unpin = flags.unpinUnclaimed === true ? ({ unpin: 'unclaimed' } as const) : {};
    const params = { path: { owner: urlOfOwner(owner) }, query: { ...hazardQuery(flags), ...unpin } };
    const answer = await readData(api.DELETE('/v1/claims/{owner}', { params }));
    const shownName = escapeName(bytesOf(owner));
    const { unpinned = [], kept = [] } = answer !== undefined && 'kept' in answer ? answer : {};
    const count = `${unpinned.length} ${unpinned.length === 1 ? 'pin' : 'pins'}`;
    const sentence =
      flags.unpinUnclaimed === true ? `${shownName} released, ${count} removed` : `${shownName} released`;
    await tellChange(cli, { answer, name: shownName, sentence });
    for (const pin of kept) await cli.err.line(`kept ${shownPath(pin)}: ${escapeText(pin.detail)}`);
  });
}
