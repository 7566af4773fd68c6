import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { TypeFormat, TypeListing } from '../../agent/agent.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { mayAct } from '../../model/role.ts';
import { oneOf } from '../../model/schema/common.ts';
import { BtfDocument } from '../../model/schema/object.ts';
import { type Answer, answers, empty, tagged } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { ReadHeaders, sendTagged } from '../etag.ts';
import { sendPieces } from '../lent-pieces.ts';
import { negotiate } from '../negotiate.ts';
import { IdParams } from '../params.ts';

/** What each `format` is sent as. */
const mediaOf = {
  json: 'application/json',
  c: 'text/plain',
  raw: 'application/octet-stream',
} as const;

const BtfQuery = Type.Object(
  {
    format: Type.Optional(
      Type.Unsafe<TypeFormat>({
        ...oneOf(['json', 'c', 'raw']),
        description:
          'its types instead of what it is: as JSON, as a header in C, or as bytes; needs the role reader, ' +
          'because programs bring their source lines with them',
      }),
    ),
  },
  { additionalProperties: false },
);

const TypesDocument = Type.Object(
  { types: Type.Array(Type.Unknown({ description: 'as bpftool btf dump shows a type' })) },
  { $id: 'Types' },
);

function answer(): Answer {
  const whole = tagged('The BTF object, or its types.', Type.Union([BtfDocument, TypesDocument]));
  return {
    ...whole,
    content: {
      ...whole.content,
      'text/plain': { schema: Type.String() },
      'application/octet-stream': { schema: Type.String({ format: 'binary' }) },
    },
  };
}

/** One BTF object: what it is, or, with `format`, what it says. */
export function addBtfRoute(app: App, parts: Parts): void {
  app.get('/v1/btfs/:id', {
    config: { role: 'viewer', produces: [mediaOf.json, mediaOf.c, mediaOf.raw] },
    handlerTimeout: limits.handlerTimeoutMs,
    schema: {
      operationId: 'getBtf',
      summary: 'One BTF object, read from the kernel; with format, its types',
      tags: ['objects'],
      params: IdParams,
      headers: ReadHeaders,
      querystring: BtfQuery,
      response: answers({ 200: answer(), 304: empty('It is as If-None-Match says.') }),
    },
    handler: async (request, reply) => {
      const id = Number(request.params.id);
      const { format } = request.query;
      if (format !== undefined) return sendTypes(parts, request, reply, { id, format });
      negotiate(request.headers.accept, [mediaOf.json]);
      return sendTagged(request, reply, parts.agent.reads.object('btf', id).value);
    },
  });
}

async function sendTypes(
  parts: Parts,
  request: FastifyRequest,
  reply: FastifyReply,
  { id, format }: { readonly id: number; readonly format: TypeFormat },
): Promise<unknown> {
  if (!mayAct(request.caller.role, 'reader')) {
    throw new PinfoldError('forbidden', { detail: 'The types of a BTF object need the role reader.' });
  }
  negotiate(request.headers.accept, [mediaOf[format]]);
  const release = parts.streams.take();
  let listing: TypeListing | undefined;
  const end = (): void => {
    listing?.[Symbol.dispose]();
    release();
  };
  // A client that goes before the first piece is no reason to keep the place either.
  reply.raw.once('close', end);
  listing = await parts.agent.types.types(id, format);
  if (reply.raw.closed) end();
  reply.type(format === 'raw' ? mediaOf.raw : `${mediaOf[format]}; charset=utf-8`);
  if (Buffer.isBuffer(listing.body)) return listing.body;
  listing.onCut(() => reply.raw.destroy());
  return sendPieces(reply, listing.body, end);
}
