import { Readable } from 'node:stream';
import { PinfoldError } from '../model/error.ts';
import type { App } from './app.ts';
import { encodedRefusal } from './body.ts';

/** Routes within may be sent bodies of these types, which they read as they come; no limit is set here. */
export function acceptStreams(app: App, types: readonly string[]): void {
  for (const type of types) {
    app.addContentTypeParser(type, (request, payload, done) => {
      if (request.signedBody !== undefined) {
        const detail =
          'Through a manager entries are sent as one JSON document; streams go to the node itself.';
        return done(new PinfoldError('unsupported_media_type', { detail }));
      }
      const refusal = encodedRefusal(request);
      if (refusal === undefined) done(null, payload);
      else done(refusal);
    });
  }
  app.addContentTypeParser('*', (_request, _payload, done) => {
    const detail = `The body must be ${['application/json', ...types].join(' or ')}.`;
    done(new PinfoldError('unsupported_media_type', { detail }));
  });
}

/** The pieces of a body that is read as it comes; undefined for one that was read whole. */
export function streamOf(body: unknown): AsyncIterable<Buffer> | undefined {
  return body instanceof Readable ? pieces(body) : undefined;
}

/**
 * Where the reader stops early, the rest is thrown away as it comes: nobody else would read on, and a client
 * that sends all before it looks for the answer would wait until its connection is cut.
 *
 * @throws PinfoldError bad_request where the client goes before the end
 */
async function* pieces(body: Readable): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const piece of body.iterator({ destroyOnReturn: false })) yield piece;
  } catch (error) {
    throw new PinfoldError('bad_request', { detail: 'The body ended before it was whole.' }, error);
  } finally {
    body.resume();
  }
}

/** A body that is read as it comes cannot be compared with an earlier one. @throws PinfoldError */
export function assertComparable(body: unknown): void {
  if (!(body instanceof Readable)) return;
  throw new PinfoldError('invalid_input', {
    detail: 'An Idempotency-Key does not go with a streamed body; send one JSON document.',
    errors: [{ pointer: '/headers/idempotency-key', detail: 'does not go with this media type' }],
  });
}
