import { Command, Option } from 'commander';
import { ClientError, isClientError, isOutOfReach } from '../../client/client-error.ts';
import type { Wait } from '../../client/documents.ts';
import { type PinfoldClient, readData } from '../../client/pinfold-client.ts';
import { limits } from '../../model/limits.ts';
import { type PinPath, urlOf } from '../../model/path.ts';
import { type WaitCondition, waitConditions } from '../../model/word-lists.ts';
import { parsePathArgument } from '../argument.ts';
import { objectOf, pathText } from '../change.ts';
import { type Cli, mountOf } from '../cli.ts';
import { Exit, exitCodes } from '../exit.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';

/** Between two tries while an agent that was there restarts. */
const retryMs = 500;

/** `pinfold wait`: until a pin is as somebody needs it; exit code 124 where the time is over first. */
export function waitCommand(cli: Cli): Command {
  return new Command('wait')
    .description('wait until a path holds a pin, holds none, changes, or its program or link is attached')
    .argument('<path>', 'where the pin is or will be')
    .addOption(new Option('--for <condition>', 'what to wait for').choices(waitConditions).default('exists'))
    .addHelpText('after', '\n--timeout says for how long; when that is over the exit code is 124.')
    .action(async (text: string, flags: { readonly for: WaitCondition }) => {
      const path = parsePathArgument(text);
      const wait = await waitFor(cli, path, flags.for);
      if (wantsDocument(cli)) await printDocument(cli, wait);
      else if (wait.met) await cli.out.line(sentenceOf(cli, path, wait));
      if (wait.met) return;
      await cli.err.line(`pinfold: ${pathText(path)} is not ${words[flags.for]}; the time is over.`);
      throw new Exit(exitCodes.timedOut);
    });
}

const words: Readonly<Record<WaitCondition, string>> = {
  exists: 'there',
  absent: 'gone',
  changed: 'changed',
  attached: 'attached',
};

function sentenceOf(cli: Cli, path: PinPath, { condition, pin }: Wait): string {
  const name = pathText(path);
  if (cli.globals().format === 'name') return name;
  if (pin === null) return `${name} is ${words.absent}.`;
  return `${name} is ${words[condition]}: ${objectOf(pin)}.`;
}

/**
 * Asks again and again, each time for half of what silence is waited out at most, so that an answer that
 * nothing has happened comes before the connection is given up. An agent that restarts is waited for.
 *
 * @throws ClientError
 */
async function waitFor(cli: Cli, path: PinPath, condition: WaitCondition): Promise<Wait> {
  const { timeoutMs } = cli.globals();
  const client = await cli.client();
  const end = performance.now() + timeoutMs;
  let last: Wait | undefined;
  for (;;) {
    const leftMs = Math.max(0, Math.ceil(end - performance.now()));
    const waitMs = Math.min(leftMs, Math.ceil(timeoutMs / 2), limits.waitMsMax);
    const since = condition === 'changed' && last !== undefined ? { since: last.seq } : {};
    const query = { ...mountOf(cli), for: condition, wait: `${waitMs}ms`, ...since };
    try {
      last = await ask(client, path, query);
      if (last.met || leftMs === 0) return last;
    } catch (error) {
      const isPassing = isOutOfReach(error) || isClientError(error, 'not_ready');
      if (!isPassing || last === undefined || leftMs === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.min(retryMs, leftMs)));
    }
  }
}

interface WaitQuery {
  readonly for: WaitCondition;
  readonly wait: string;
  readonly since?: number;
  readonly mount?: string;
}

async function ask({ api }: PinfoldClient, path: PinPath, query: WaitQuery): Promise<Wait> {
  const params = { path: { path: urlOf(path) }, query };
  const answer = await readData(api.GET('/v1/pins/{path}', { params }));
  if ('condition' in answer) return answer;
  throw new ClientError('not_pinfold', 'The server answered with a pin where a wait was due.');
}
