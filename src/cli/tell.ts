import type { Cli } from './cli.ts';
import type { ExitCode } from './exit.ts';
import { failureOf } from './failure.ts';

/** Says on stderr what went wrong and what to do; resolves with the exit code. @throws what nobody foresaw */
export async function tellFailure(thrown: unknown, cli: Cli): Promise<ExitCode> {
  const failure = failureOf(thrown, cli.typed());
  if (failure === undefined) throw thrown;
  await cli.out.flush();
  await cli.err.line(`pinfold: ${failure.sentence}`);
  for (const line of failure.advice) await cli.err.line(`  ${line}`);
  await cli.err.flush();
  return failure.exitCode;
}
