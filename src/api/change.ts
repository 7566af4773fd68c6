import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { ChangeContext, ChangeResult, PlanStep } from '../agent/agent.ts';
import { PinfoldError } from '../model/error.ts';
import { type Hazard, hazards } from '../model/hazard.ts';
import { oneOf } from '../model/schema/common.ts';
import { PinDocument } from '../model/schema/pin.ts';

/** `?mount=`: another instance than the primary one. */
export const mountQuery = {
  mount: Type.Optional(
    Type.String({
      pattern: '^\\d{1,9}:\\d{1,9}$',
      examples: ['0:41'],
      description: 'major:minor of the bpffs instance',
    }),
  ),
};

/** The query members every change has. */
export const changeQuery = {
  dry_run: Type.Optional(Type.Boolean({ description: 'answer 200 with the plan and change nothing' })),
  accept: Type.Optional(
    Type.String({
      description: `hazards to accept, separated by commas: ${hazards.join(', ')}`,
    }),
  ),
  force: Type.Optional(Type.Boolean({ description: 'accept every hazard; it is recorded' })),
};

/** The headers every change understands. */
export const ChangeHeaders = Type.Object({
  'if-match': Type.Optional(
    Type.String({ description: 'entity tags the resource may have; * if it only must be there' }),
  ),
  'if-none-match': Type.Optional(Type.String({ description: '* to create, or change nothing' })),
});

/** The headers every POST understands. */
export const PostHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      description:
        'kept for 24 h a caller: the same key again gets the same answer, and nothing is done twice',
    }),
  ),
});

/** The members of a change's query. */
export interface ChangeQuery {
  readonly mount?: string;
  readonly dry_run?: boolean;
  readonly accept?: string;
  readonly force?: boolean;
}

/** What `?dry_run=true` answers: what would be done, in order. */
export const PlanDocument = Type.Object(
  {
    plan: Type.Array(
      Type.Object({
        action: Type.String(),
        path: Type.String(),
        path_bytes: Type.Optional(Type.String()),
        detail: Type.String(),
        hazards: Type.Array(oneOf(hazards)),
      }),
    ),
  },
  { $id: 'Plan' },
);
export type PlanDocument = Static<typeof PlanDocument>;

/** A pin as a change left it, or the plan of a dry run. */
export const PinOrPlan = Type.Union([PinDocument, PlanDocument]);

/** What a request lets a change do. @throws PinfoldError invalid_input */
export function contextOf(request: FastifyRequest): ChangeContext {
  const query: ChangeQuery = Object(request.query);
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers;
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*') {
    throw new PinfoldError('invalid_input', {
      detail: 'A change understands only "If-None-Match: *", which means: create it, or change nothing.',
      errors: [{ pointer: '/headers/if-none-match', detail: 'must be *' }],
    });
  }
  return {
    caller: request.caller,
    requestId: request.id,
    ifMatch,
    createOnly: ifNoneMatch === '*',
    accept: parseAccept(query.accept),
    force: query.force === true,
    dryRun: query.dry_run === true,
  };
}

/** Sets the headers that tell what a change came to; the plan, where it was a dry run. */
export function concludeChange(reply: FastifyReply, result: ChangeResult): PlanDocument | undefined {
  if (result.operationId !== undefined) reply.header('pinfold-operation', result.operationId);
  if (result.plan === undefined) return undefined;
  return planOf(result.plan);
}

/** What a dry run answers. */
export function planOf(steps: readonly PlanStep[]): PlanDocument {
  return { plan: steps.map((step) => ({ ...step, hazards: [...step.hazards] })) };
}

function parseAccept(text: string | undefined): ReadonlySet<Hazard> {
  if (text === undefined || text === '') return new Set();
  return new Set(
    text.split(',').map((name) => {
      const hazard = hazards.find((candidate) => candidate === name);
      if (hazard !== undefined) return hazard;
      throw new PinfoldError('invalid_input', {
        detail: `accept takes ${hazards.join(', ')}.`,
        errors: [{ pointer: '/query/accept', detail: `must be of ${hazards.join(', ')}` }],
      });
    }),
  );
}
