import { Command } from 'commander';
import type { CertificateWish, IssuedCertificate } from '../../model/cluster/certificate.ts';
import { escapeText } from '../../model/escape.ts';
import { collect, parseNumber } from '../argument.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../exit.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';

/** `pinfold pki`: a small certificate authority for trying a fleet out. */
export function pkiCommand(cli: Cli): Command {
  const command = new Command('pki').description('a small certificate authority, to try a fleet out with');
  command
    .command('init')
    .description('make the authority; what is there already stays')
    .argument('<dir>', 'where its key and certificate are kept')
    .option('--days <number>', 'how long it is good', '3650')
    .action(async (dir: string, { days }: { days: string }) =>
      tell(cli, await cli.local.authority.init(dir, parseDays(days))),
    );
  command
    .command('issue')
    .description('issue a key and a certificate, beside the authority’s own')
    .argument('<dir>', 'where the authority is')
    .option('--manager [name]', 'a manager’s; of the node that is named, or of one by itself')
    .option('--etcd [name]', 'a member’s of etcd')
    .option('--client <name>', 'a caller’s, who is neither node nor manager')
    .option('--san <host>', 'a host name or address it is reached by; may be repeated', collect)
    .option('--days <number>', 'how long it is good', '365')
    .option('--renew', 'put it in the place of the one that is there, which is read anew where it is shown')
    .addHelpText('after', '\n--node NAME says that it is a node’s; the agent of that --node shows it.')
    .action(async (dir: string, flags: IssueFlags, self: Command) => {
      const { node } = self.optsWithGlobals();
      await tell(cli, await cli.local.authority.issue(dir, wishOf(flags, node)));
    });
  return command;
}

interface IssueFlags {
  readonly manager?: string | true;
  readonly etcd?: string | true;
  readonly client?: string;
  readonly san?: readonly string[];
  readonly days: string;
  readonly renew?: true;
}

function wishOf(flags: IssueFlags, node: unknown): CertificateWish {
  const names = [node, flags.manager, flags.etcd, flags.client].filter((name) => typeof name === 'string');
  const [name, ...others] = new Set(names);
  if (name === undefined || others.length > 0) {
    const what = '--node NAME (with --manager for an agent that is both), --manager NAME, --etcd NAME';
    throw new UsageError(`Say whose it is, by one name: ${what} or --client NAME.`);
  }
  return {
    name,
    isNode: node !== undefined,
    isManager: flags.manager !== undefined,
    hosts: flags.san ?? [],
    days: parseDays(flags.days),
    isRenewal: flags.renew === true,
  };
}

function parseDays(text: string): number {
  return parseNumber(text, { min: 1, max: 36_500 });
}

async function tell(cli: Cli, { certFile, keyFile, notAfter }: IssuedCertificate): Promise<void> {
  if (wantsDocument(cli))
    return await printDocument(cli, { cert: certFile, key: keyFile, not_after: notAfter });
  const until = notAfter.slice(0, 10);
  await cli.out.line(`${escapeText(certFile)} and ${escapeText(keyFile)} made, good until ${until}`);
}
