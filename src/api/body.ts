import type { FastifyRequest } from 'fastify';
import { bodyHash, emptyBodyHash } from '../cluster/signing/signature.ts';
import { PinfoldError } from '../model/error.ts';
import type { App } from './app.ts';
import { assertShallow } from './json-depth.ts';

/**
 * Accepts JSON bodies and nothing else (415): a form that another site's page can send is not JSON.
 *
 * Bytes that are not UTF-8 are refused instead of replaced, because a name in a body would become another
 * name; `__proto__` and its like are refused by Fastify's own parser. Only entries may have members that are
 * called so: BTF names them, and what is read of a map can be sent back. Nothing assigns them by name.
 */
export function acceptJsonOnly(app: App): void {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const strict = app.getDefaultJsonParser('error', 'error');
  const lenient = app.getDefaultJsonParser('ignore', 'ignore');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const encoded = encodedRefusal(request);
    if (encoded !== undefined) return done(encoded);
    const text = attempt(() => {
      assertSigned(request, body);
      return decode(decoder, body);
    });
    if (text instanceof Error) return done(text);
    if (text === '') return done(null, undefined);
    const parse = request.terms.bodyHasEntries === true ? lenient : strict;
    parse(request, text, (error, value: unknown) => {
      const refusal = error ?? attempt(() => assertShallow(value, '/body'));
      done(refusal instanceof Error ? refusal : null, value);
    });
  });
}

/** Bodies come as they are: what unpacks them would have to be bounded, too. What is text is UTF-8. */
export function encodedRefusal({ headers }: FastifyRequest): PinfoldError | undefined {
  const encoding = headers['content-encoding'] ?? 'identity';
  const [, charset = 'utf-8'] = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(headers['content-type'] ?? '') ?? [];
  const isPlain = encoding.toLowerCase() === 'identity';
  // RFC 3629 names it utf-8; the other spelling is as common, and means nothing else.
  if (isPlain && /^utf-?8$/i.test(charset)) return undefined;
  const detail = isPlain
    ? 'The body must be UTF-8, and its Content-Type names another charset.'
    : 'The body must come as it is, without a Content-Encoding.';
  return new PinfoldError('unsupported_media_type', { detail });
}

/** Parsers of bodies answer by a call, not by throwing. */
function attempt<Result>(run: () => Result): Result | Error {
  try {
    return run();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** @throws PinfoldError bad_json */
function decode(decoder: InstanceType<typeof TextDecoder>, body: Uint8Array): string {
  try {
    return decoder.decode(body);
  } catch (error) {
    throw new PinfoldError('bad_json', { detail: 'The body is not UTF-8.' }, error);
  }
}

/** A body that is signed for must be sent. @throws PinfoldError unauthenticated */
export function assertBodyComes({ signedBody, headers }: FastifyRequest): void {
  if (signedBody === undefined || signedBody === emptyBodyHash) return;
  const isComing = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (!isComing) throw notSigned();
}

/** A body must be the one that was signed, where one was. @throws PinfoldError unauthenticated */
function assertSigned({ signedBody }: FastifyRequest, body: Uint8Array): void {
  if (signedBody !== undefined && signedBody !== bodyHash(body)) throw notSigned();
}

function notSigned(): PinfoldError {
  return new PinfoldError('unauthenticated', { detail: 'The body is not the one that was signed.' });
}
