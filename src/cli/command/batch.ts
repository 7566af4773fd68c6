import { Command } from 'commander';
import type { BatchRequest } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { addChangeOptions, type ChangeFlags, changeQuery, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../exit.ts';
import { readDocument } from '../read-document.ts';

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
    const body = parseBatch(await readDocument(cli.io, flags.file));
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
function parseBatch(value: unknown): BatchRequest {
  const body: unknown = Array.isArray(value) ? { operations: value } : value;
  if (isBatch(body)) return body;
  throw new UsageError('The file must hold a list of operations, or a mapping with the key operations.');
}

function isBatch(body: unknown): body is BatchRequest {
  return typeof body === 'object' && body !== null && 'operations' in body && Array.isArray(body.operations);
}
