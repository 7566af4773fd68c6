import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { HookContext } from '../../agent/hook/hooks.ts';
import { parseDurationMs } from '../../model/duration.ts';
import { PinfoldError } from '../../model/error.ts';
import {
  type Attachment,
  assertCniVersion,
  attachmentOwner,
  parseAttachment,
  parseRetained,
  resultOf,
} from '../../model/hook/cni-config.ts';
import { containerOwner, parseContainer } from '../../model/hook/oci-state.ts';
import { limits } from '../../model/limits.ts';
import { oneOf } from '../../model/schema/common.ts';
import { ContainerState, NetworkConfig } from '../../model/schema/hook.ts';
import { answers, empty, json } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { contextOf } from '../change.ts';

const closed = { additionalProperties: false } as const;

const withinQuery = {
  within: Type.Optional(
    Type.String({ description: `at most so long, ${limits.waitMsDefault / 1000}s unless told` }),
  ),
};

const cniVerbs = ['add', 'check', 'del', 'gc', 'status'] as const;

const CniQuery = Type.Object(
  {
    ...withinQuery,
    command: oneOf(cniVerbs),
    container_id: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]*$', maxLength: 128 })),
    ifname: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_.@-]{1,15}$' })),
  },
  closed,
);
type CniQuery = Type.Static<typeof CniQuery>;

/** What `deploy/oci` and `deploy/cni` hand on: the bytes a runtime gave them, as they are. */
export function addHookRoutes(app: App, parts: Parts): void {
  addOci(app, parts);
  addCni(app, parts);
}

function addOci(app: App, { agent }: Parts): void {
  app.post('/v1/hooks/oci', {
    config: { role: 'operator' },
    schema: {
      operationId: 'runOciHook',
      summary: 'A container begins (wait for its pins, claim them) or has ended (release them)',
      tags: ['time'],
      querystring: Type.Object({ ...withinQuery, event: oneOf(['start', 'stop']) }, closed),
      body: ContainerState,
      response: answers({ 204: empty('It is as the annotations ask for.') }),
    },
    handler: async (request, reply) => {
      const { body, query } = request;
      const context = hookContextOf(request, reply, query);
      if (query.event === 'stop') await agent.hooks.end(containerOwner(body), context.change);
      else await agent.hooks.begin(parseContainer(body), context);
      reply.code(204);
    },
  });
}

function addCni(app: App, parts: Parts): void {
  app.post('/v1/hooks/cni', {
    config: { role: 'operator' },
    schema: {
      operationId: 'runCniPlugin',
      summary: 'What a CNI plugin is called for, with the network configuration as the body',
      tags: ['time'],
      querystring: CniQuery,
      body: NetworkConfig,
      response: answers({
        200: json('ADD: the result to print.', Type.Record(Type.String(), Type.Unknown())),
        204: empty('Done; nothing is to be printed.'),
      }),
    },
    handler: async (request, reply) => {
      const { body, query } = request;
      assertCniVersion(body);
      await carryOut(parts, { config: body, query }, hookContextOf(request, reply, query));
      if (query.command !== 'add') return reply.code(204).send();
      // On a line of its own, so that a script finds it after the refusals that it tried again.
      return reply.type('application/json').send(`\n${JSON.stringify(resultOf(body))}`);
    },
  });
}

async function carryOut(
  { agent }: Parts,
  { config, query }: { readonly config: NetworkConfig; readonly query: CniQuery },
  context: HookContext,
): Promise<void> {
  const { hooks } = agent;
  switch (query.command) {
    case 'status': {
      const why = agent.notReady();
      if (why !== undefined) throw new PinfoldError('not_ready', { detail: why });
      return;
    }
    case 'gc':
      return await hooks.keepOnly(parseRetained(config), context.change);
    case 'add':
      return await hooks.begin(parseAttachment(config, attachmentOf(query)), context);
    case 'check':
      return await hooks.check(parseAttachment(config, attachmentOf(query)), context);
    case 'del':
      return await hooks.end(attachmentOwner(config, attachmentOf(query)), context.change);
  }
}

/** @throws PinfoldError invalid_input where the query does not say which */
function attachmentOf({ container_id: containerId, ifname }: CniQuery): Attachment {
  if (containerId === undefined) throw missing('container_id');
  if (ifname === undefined) throw missing('ifname');
  return { containerId, ifname };
}

function hookContextOf(
  request: FastifyRequest,
  reply: FastifyReply,
  { within }: { readonly within?: string },
): HookContext {
  const withinMs = within === undefined ? limits.waitMsDefault : parseDurationMs(within);
  if (withinMs === undefined || withinMs > limits.waitMsMax) {
    throw invalid('within', `takes a time such as 30s, at most ${limits.waitMsMax / 60_000}m`);
  }
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort());
  request.raw.socket.setTimeout(withinMs + limits.connectionTimeoutMs);
  return { change: contextOf(request), withinMs, signal: controller.signal };
}

function missing(member: string): PinfoldError {
  return invalid(member, 'is missing');
}

function invalid(member: string, detail: string): PinfoldError {
  const pointer = `/query/${member}`;
  return new PinfoldError('invalid_input', {
    detail: `The request is not valid: ${pointer} ${detail}.`,
    errors: [{ pointer, detail }],
  });
}
