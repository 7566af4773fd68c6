import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';

/** The header of a conditional read. */
export const ReadHeaders = Type.Object({
  'if-none-match': Type.Optional(Type.String({ description: 'entity tags the caller has' })),
});

/**
 * Answers one resource with its entity tag; 304 where the caller has this state already (RFC 9110, 13.1.2).
 *
 * The tag of a document carries its quotes.
 */
export function sendTagged<Resource extends { readonly etag: string }>(
  request: FastifyRequest,
  reply: FastifyReply,
  document: Resource,
): Resource | undefined {
  reply.header('etag', document.etag);
  const known = request.headers['if-none-match'];
  if (known === undefined || !isKnown(known, document.etag)) return document;
  reply.code(304);
  return undefined;
}

function isKnown(header: string, etag: string): boolean {
  return header === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}
