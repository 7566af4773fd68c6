import { PinfoldError } from '../model/error.ts';
import type { App } from './app.ts';

/**
 * Accepts JSON bodies and nothing else (415): a form that another site's page can send is not JSON.
 *
 * Bytes that are not UTF-8 are refused instead of replaced, because a name in a body would become another
 * name; `__proto__` and its like are refused by Fastify's own parser.
 */
export function acceptJsonOnly(app: App): void {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) {
      done(null, undefined);
      return;
    }
    try {
      parse(request, decoder.decode(body), done);
    } catch (error) {
      done(new PinfoldError('bad_json', { detail: 'The body is not UTF-8.' }, error));
    }
  });
}
