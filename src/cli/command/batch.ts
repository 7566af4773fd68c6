import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { parseDocument } from 'yaml';
import type { BatchRequest } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { addChangeOptions, type ChangeFlags, changeQuery, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../exit.ts';
import type { Io } from '../io.ts';
import { readAll } from '../read-lines.ts';

interface BatchFlags extends ChangeFlags {
  readonly file: string;
}

/** `pinfold batch`: several changes, all or nothing. */
export function batchCommand(cli: Cli): Command {
  const command = new Command('batch')
    .description('make several changes in order: all of them, or none')
    .requiredOption(
      '-f, --file <file>',
      'YAML or JSON, a list of operations as POST /v1/batch takes them; - for standard input',
    );
  return addChangeOptions(command).action(async (flags: BatchFlags) => {
    const query = changeQuery(cli, flags);
    const body = parseBatch(await readFileOrInput(cli.io, flags.file));
    const { api } = await cli.client();
    const answer = await readData(api.POST('/v1/batch', { params: { query }, body }));
    const count = body.operations.length;
    const id = 'operation_id' in answer ? answer.operation_id : null;
    const sentence =
      id === null
        ? `${count} operations: nothing had to change`
        : `${count} operations applied (${escapeText(id)})`;
    await tellChange(cli, { answer, name: id ?? '', sentence });
  });
}

/**
 * Reads `{operations: […]}` or the list alone; what the operations say is for the agent to judge. @throws
 * UsageError
 */
function parseBatch(text: string): BatchRequest {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem !== undefined)
    throw new UsageError(`The file is neither YAML nor JSON: ${escapeText(problem.message)}`);
  const value: unknown = document.toJS();
  const body: unknown = Array.isArray(value) ? { operations: value } : value;
  if (isBatch(body)) return body;
  throw new UsageError('The file must hold a list of operations, or a mapping with the key operations.');
}

function isBatch(body: unknown): body is BatchRequest {
  return typeof body === 'object' && body !== null && 'operations' in body && Array.isArray(body.operations);
}

async function readFileOrInput(io: Io, file: string): Promise<string> {
  if (file === '-') return await readAll(io);
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new UsageError(`${escapeText(file)} cannot be read (${why}).`);
  }
}
