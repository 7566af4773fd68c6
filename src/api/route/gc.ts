import { Type } from 'typebox';
import { gcDocument } from '../../agent/gc/document.ts';
import { findRequestedPath } from '../../agent/operation/requested-path.ts';
import { parseDurationMs } from '../../model/duration.ts';
import { PinfoldError } from '../../model/error.ts';
import type { GcQuestion } from '../../model/gc/plan.ts';
import type { GcSettings } from '../../model/gc/policy.ts';
import { GcDocument, GcRequest, type GcRule, gcRules } from '../../model/schema/gc.ts';
import { answers, changed, json } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { contextOf, mountQuery, PostHeaders } from '../change.ts';
import { parsePrefix, prefixQuery } from '../query.ts';

const closed = { additionalProperties: false } as const;

const GcQuery = Type.Object(
  {
    ...mountQuery,
    ...prefixQuery,
    rules: Type.Optional(
      Type.String({ description: `separated by commas, of ${gcRules.join(', ')}; all unless told` }),
    ),
    min_age: Type.Optional(
      Type.String({ description: 'such as 12h; as the configuration says unless told' }),
    ),
  },
  closed,
);

/** Cleaning up what nobody needs: what would go, and having it go. */
export function addGcRoutes(app: App, parts: Parts): void {
  addPlan(app, parts);
  addRun(app, parts);
}

function addPlan(app: App, { agent }: Parts): void {
  app.get('/v1/gc', {
    config: { role: 'viewer' },
    schema: {
      operationId: 'planGc',
      summary: 'Which pins nobody needs: what, why, and what would be lost; changes nothing',
      tags: ['gc'],
      querystring: GcQuery,
      response: answers({ 200: json('The plan.', GcDocument) }),
    },
    handler: async (request) => {
      const { rules, min_age, ...query } = request.query;
      const question = questionOf(agent, {
        part: '/query',
        rules: rules === undefined ? undefined : parseRules(rules),
        minAge: min_age,
        prefix: parsePrefix(query),
        mount: query.mount,
      });
      const { plan, at } = await agent.gc.plan(question);
      const { graceMs } = agent.gc.settings;
      return gcDocument(plan, { operationId: undefined, dryRun: true, graceMs, at });
    },
  });
}

function addRun(app: App, { agent }: Parts): void {
  app.post('/v1/gc', {
    config: { role: 'operator' },
    schema: {
      operationId: 'collectGarbage',
      summary: 'Move pins that nobody needs into quarantine; or with `dry_run`, say which',
      tags: ['gc'],
      querystring: Type.Object({ ...mountQuery }, closed),
      headers: PostHeaders,
      body: GcRequest,
      response: answers({
        200: json('The plan, of a dry run or where nothing is to be done.', GcDocument),
        202: changed('The plan, which is being carried out; the operation tells how it ends.', GcDocument),
      }),
    },
    handler: async (request, reply) => {
      const { body } = request;
      const question = questionOf(agent, {
        part: '/body',
        rules: body.rules,
        minAge: body.min_age,
        prefix: findRequestedPath(body, 'prefix'),
        mount: request.query.mount,
      });
      const graceMs = graceOf(body, agent.gc.settings);
      const dryRun = body.dry_run === true;
      const { plan, at, operationId } = dryRun
        ? { ...(await agent.gc.plan(question)), operationId: undefined }
        : await agent.gc.start(question, graceMs, contextOf(request));
      if (operationId !== undefined) reply.code(202).header('pinfold-operation', operationId);
      return gcDocument(plan, { operationId, dryRun, graceMs, at });
    },
  });
}

/** What is asked for, the configuration filling in what is not said. @throws PinfoldError mount_not_found */
function questionOf(
  { gc, reads }: Parts['agent'],
  asked: {
    /** The part of the request in which it is asked. */
    readonly part: '/query' | '/body';
    readonly rules: readonly GcRule[] | undefined;
    readonly minAge: string | undefined;
    readonly prefix: GcQuestion['prefix'];
    readonly mount: string | undefined;
  },
): GcQuestion {
  const { rules = gcRules, prefix } = asked;
  const mounts = reads.mounts().value;
  const mount = mounts.find(({ id, primary }) => (asked.mount === undefined ? primary : id === asked.mount));
  if (mount === undefined)
    throw new PinfoldError('mount_not_found', { detail: `No bpffs ${asked.mount ?? ''} is mounted.` });
  const minAgeMs = parseTime(`${asked.part}/min_age`, asked.minAge) ?? gc.settings.minAgeMs;
  return { rules, mount: mount.id, prefix, minAgeMs };
}

function graceOf({ quarantine, grace }: GcRequest, settings: GcSettings): number {
  if (quarantine !== false) return parseTime('/body/grace', grace) ?? settings.graceMs;
  if (grace === undefined) return 0;
  throw invalid('/body/grace', 'quarantine: false leaves no time of grace');
}

function parseRules(text: string): readonly GcRule[] {
  return text.split(',').map((name) => {
    const rule = gcRules.find((known) => known === name);
    if (rule !== undefined) return rule;
    throw invalid('/query/rules', `rules are of ${gcRules.join(', ')}`);
  });
}

function parseTime(pointer: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDurationMs(text);
  if (ms !== undefined) return ms;
  throw invalid(pointer, `${pointer.replace(/.*\//, '')} wants a time such as 30m or 12h`);
}

function invalid(pointer: string, detail: string): PinfoldError {
  return new PinfoldError('invalid_input', {
    detail: `The request is not valid: ${detail}.`,
    errors: [{ pointer, detail }],
  });
}
