import { Command } from 'commander';
import type { Claim } from '../../client/documents.ts';
import { readAnswer } from '../../client/pinfold-client.ts';
import { urlOfOwner } from '../../model/claim/owner.ts';
import { escapeName } from '../../model/escape.ts';
import { bytesOf } from '../../model/path.ts';
import { collect, parseDuration, parseLabels, parsePathArgument, pathBody } from '../argument.ts';
import { type Plan, tellChange } from '../change.ts';
import { type Cli, mountOf } from '../cli.ts';
import { parseOwnerArgument } from '../owner-argument.ts';
import { renewClaim } from '../renew-claim.ts';

interface ClaimFlags {
  readonly lease?: string;
  readonly label?: readonly string[];
  readonly adopt?: boolean;
  readonly renew?: boolean;
  readonly dryRun?: boolean;
}

/** `pinfold claim`: says who needs pins, so that nobody takes them away unasked; again, it renews. */
export function claimCommand(cli: Cli): Command {
  return new Command('claim')
    .description('say that an owner needs pins, which need not be there yet; or renew that')
    .argument('<owner>', 'a name of your choice: of a pod, a unit, a person')
    .argument('[path...]', 'the pins; what is left out stays as it was')
    .option('--lease <duration>', 'it ends unless it is renewed in this time, such as 10m; `none` for never')
    .option('--label <key=value>', 'a label; may be repeated, and all of them are set anew', collect)
    .option('--adopt', 'what is at the paths now is what is needed, though it was replaced')
    .option('--renew', 'stay, and renew it in time until this command is ended, or the claim')
    .option('--dry-run', 'say what would be done, and change nothing')
    .action(async (name: string, words: string[], flags: ClaimFlags) => {
      const owner = parseOwnerArgument(name);
      const pins = words.map(parsePathArgument).map(pathBody);
      const { label, adopt } = flags;
      const body = {
        ...(pins.length === 0 ? {} : { pins }),
        ...leaseOf(flags),
        ...(label === undefined ? {} : { labels: parseLabels(label.filter((pair) => pair !== '')) }),
        ...(adopt === true ? { adopt } : {}),
      };
      const place = { path: { owner: urlOfOwner(owner) }, query: mountOf(cli) };
      const query = { ...place.query, ...(flags.dryRun === true ? { dry_run: true } : {}) };
      const { api } = await cli.client();
      const params = { path: place.path, query };
      const { data, status } = await readAnswer(api.PUT('/v1/claims/{owner}', { params, body }));
      const shownName = escapeName(bytesOf(owner));
      await tellChange(cli, { answer: data, name: shownName, sentence: sentenceOf(shownName, data, status) });
      if (flags.renew !== true || 'plan' in data) return;
      await cli.out.flush();
      await renewClaim(cli, place, data);
    });
}

function leaseOf({ lease }: ClaimFlags): { lease?: string | null } {
  if (lease === undefined) return {};
  if (lease === 'none') return { lease: null };
  parseDuration(lease);
  return { lease };
}

/** What a claim is now; of a dry run nothing is said. */
function sentenceOf(owner: string, answer: Claim | Plan, status: number): string {
  if ('plan' in answer) return '';
  const { pins, lease } = answer;
  const what = `${pins.length} ${pins.length === 1 ? 'pin' : 'pins'}`;
  const until = lease === null ? 'until it is released' : `for ${lease}`;
  return `${owner} ${status === 201 ? 'claims' : 'goes on claiming'} ${what} ${until}`;
}
