import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Type } from 'typebox';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { makeDirectories } from '../../model/make-directories.ts';
import { Time } from '../../model/schema/common.ts';
import { answers, json } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { PostHeaders } from '../change.ts';
import { NoQuery } from '../params.ts';

const BackupDocument = Type.Object(
  {
    file: Type.String({ description: 'on the node, in the state directory, readable by root' }),
    bytes: Type.Integer(),
    created_at: Time,
  },
  { $id: 'Backup' },
);

/** A copy of the database, made while it is used. Where it goes is not the caller's to say. */
export function addBackupRoute(app: App, { agent, clock, backupDir }: Parts): void {
  app.post('/v1/backup', {
    config: { role: 'admin' },
    handlerTimeout: limits.handlerTimeoutMs,
    schema: {
      operationId: 'backup',
      summary: 'Copy the database to a file in the state directory',
      tags: ['service'],
      querystring: NoQuery,
      headers: PostHeaders,
      response: answers({ 201: json('The copy.', BackupDocument) }),
    },
    handler: async (_request, reply) => {
      makeDirectories({ mkdirSync, statSync }, backupDir);
      assertRoom(backupDir);
      const createdAt = clock.now().toISOString();
      const file = join(backupDir, `pinfold-${createdAt.replaceAll(/[:.]/g, '-')}.db`);
      const { bytes } = await agent.store.backup(file);
      reply.code(201);
      return { file, bytes, created_at: createdAt };
    },
  });
}

function assertRoom(backupDir: string): void {
  if (readdirSync(backupDir).length < limits.backupsMax) return;
  throw new PinfoldError('too_many_requests', {
    detail: `There are ${limits.backupsMax} backups already; move some of them elsewhere.`,
    limit: 'backups',
  });
}
