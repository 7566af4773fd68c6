import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { oneOf } from '../../model/schema/common.ts';
import { ProgramInstructions, ProgramMachineCode } from '../../model/schema/program-code.ts';
import { type Answer, answers } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { negotiate } from '../negotiate.ts';
import { IdParams } from '../params.ts';

/** What each `format` is sent as. */
const mediaOf = {
  json: 'application/json',
  text: 'text/plain',
  raw: 'application/octet-stream',
} as const;
type Format = keyof typeof mediaOf;
const formats = ['json', 'text', 'raw'] as const satisfies readonly Format[];

const InstructionsQuery = Type.Object(
  {
    format: Type.Optional(oneOf(formats)),
    image: Type.Optional(
      Type.Union([Type.Literal('xlated'), Type.Literal('jited')], {
        description: 'xlated, unless told: what the verifier made of it; jited: its machine code',
      }),
    ),
    opcodes: Type.Optional(Type.Boolean({ description: 'text: with the bytes of each instruction' })),
    linum: Type.Optional(Type.Boolean({ description: 'text: with file, line and column of the source' })),
  },
  { additionalProperties: false },
);

const answer: Answer = {
  description:
    'The instructions: a document, the text that `bpftool prog dump xlated` prints, or the bytes. ' +
    'Of machine code there are only the bytes and a document about them.',
  content: {
    'application/json': { schema: Type.Union([ProgramInstructions, ProgramMachineCode]) },
    'text/plain': { schema: Type.String() },
    'application/octet-stream': { schema: Type.String({ format: 'binary' }) },
  },
};

/** `GET /v1/programs/{id}/instructions`: constants in programs may be secrets, so viewers do not see them. */
export function addInstructionsRoute(app: App, parts: Parts): void {
  app.get('/v1/programs/:id/instructions', {
    config: { role: 'reader', produces: [mediaOf.json, mediaOf.text, mediaOf.raw] },
    handlerTimeout: limits.handlerTimeoutMs,
    schema: {
      operationId: 'getProgramInstructions',
      summary: 'The instructions of a program, or its machine code',
      tags: ['objects'],
      params: IdParams,
      querystring: InstructionsQuery,
      response: answers({ 200: answer }),
    },
    handler: async (request, reply) => {
      const id = Number(request.params.id);
      const format = formatOf(request, request.query.format);
      if (request.query.image === 'jited') return sendMachineCode(parts, reply, { id, format });
      return await sendInstructions(parts, reply, { id, format, query: request.query });
    },
  });
}

/**
 * What the query says, as far as Accept allows it; else what Accept says.
 *
 * @throws PinfoldError not_acceptable
 */
function formatOf(request: FastifyRequest, asked: Format | undefined): Format {
  const media = asked === undefined ? request.media : negotiate(request.headers.accept, [mediaOf[asked]]);
  return formats.find((format) => mediaOf[format] === media) ?? 'json';
}

/** The whole of it is a stream: a million instructions are 200 MB of JSON. */
async function sendInstructions(
  parts: Parts,
  reply: FastifyReply,
  wanted: { readonly id: number; readonly format: Format; readonly query: Static<typeof InstructionsQuery> },
): Promise<unknown> {
  const { opcodes = false, linum = false } = wanted.query;
  const release = parts.streams.take();
  try {
    const listing = await parts.agent.programs.instructions(wanted.id);
    reply.raw.once('close', () => {
      listing[Symbol.dispose]();
      release();
    });
    reply.type(contentTypeOf(wanted.format));
    if (wanted.format === 'raw') return listing.code;
    const chunks = wanted.format === 'text' ? listing.text({ opcodes, linum }) : listing.json();
    return Readable.from(chunks, { objectMode: false, highWaterMark: limits.streamChunkBytes });
  } catch (error) {
    release();
    throw error;
  }
}

function sendMachineCode(
  parts: Parts,
  reply: FastifyReply,
  { id, format }: { readonly id: number; readonly format: Format },
): unknown {
  if (format === 'text') {
    throw new PinfoldError('invalid_input', {
      detail: 'Machine code is not disassembled: ask for it as json or raw.',
      errors: [{ pointer: '/query/format', detail: 'must be json or raw where image is jited' }],
    });
  }
  const { code, document } = parts.agent.programs.machineCode(id);
  reply.type(contentTypeOf(format));
  return format === 'raw' ? code : document;
}

function contentTypeOf(format: Format): string {
  return format === 'raw' ? mediaOf.raw : `${mediaOf[format]}; charset=utf-8`;
}
