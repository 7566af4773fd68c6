import { CommanderError } from 'commander';
import type { Local } from '../model/local.ts';
import { type Cli, makeCli } from './cli.ts';
import { Exit, exitCodes } from './exit.ts';
import type { Io } from './io.ts';
import { ClosedPipe } from './output.ts';
import { addCommands, makeProgram } from './program.ts';
import { tellFailure } from './tell.ts';

/**
 * Runs one command line (without `node` and the program's own name) and resolves with its exit code.
 *
 * Expected failures are told on stderr; a mistake in the program itself is thrown.
 */
export async function runCli(argv: readonly string[], io: Io, local: Local): Promise<number> {
  const program = makeProgram(io, local.version);
  const cli = makeCli(program, io, local);
  addCommands(program, cli);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    await cli.out.flush();
    await cli.err.flush();
    return exitCodes.ok;
  } catch (thrown) {
    return await conclude(thrown, cli);
  } finally {
    await cli.close();
  }
}

async function conclude(thrown: unknown, cli: Cli): Promise<number> {
  if (thrown instanceof ClosedPipe) return exitCodes.ok;
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  try {
    await cli.out.flush();
    if (thrown instanceof Exit) {
      await cli.err.flush();
      return thrown.code;
    }
    return await tellFailure(thrown, cli);
  } catch (error) {
    if (error instanceof ClosedPipe) return exitCodes.ok;
    throw error;
  }
}
