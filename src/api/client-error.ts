import { randomUUID } from 'node:crypto';
import { type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ErrorCode, PinfoldError } from '../model/error.ts';
import { limitOf, problemOf, problemType } from './problem.ts';

/** What Node's HTTP parser and its timers complain of; everything else is malformed. */
const parserCodes: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/**
 * Answers with a problem document what never becomes a request: broken framing, oversized heads, requests
 * that do not arrive, expectations nobody knows. The connection ends with it.
 *
 * Once an answer's head is on its way, more bytes would be read as part of it; then the connection is just
 * cut.
 */
export function addParserRefusals(server: Server, onLimit: (limit: string) => void): void {
  const answering = new WeakMap<Duplex, ServerResponse>();
  server.on('request', (request, response) => void answering.set(request.socket, response));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const response = answering.get(socket);
    const isMidAnswer = response?.headersSent === true && !response.writableFinished;
    if (!socket.writable || isMidAnswer || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const refusal = new PinfoldError(parserCodes[error.code ?? ''] ?? 'bad_request', {
      detail: 'This could not be read as an HTTP request.',
    });
    const limit = limitOf(refusal);
    if (limit !== undefined) onLimit(limit);
    socket.end(rawAnswer(refusal));
  });
  server.on('checkExpectation', (_request, response) => {
    const refusal = new PinfoldError('bad_request', { detail: 'Expect knows only 100-continue.' });
    const { status, body } = problemOf(refusal, randomUUID());
    const text = JSON.stringify(body);
    const length = Buffer.byteLength(text);
    response.writeHead(status, {
      'content-type': problemType,
      'content-length': length,
      connection: 'close',
    });
    response.end(text);
  });
  server.on('connect', (_request, socket) => {
    // Node has let go of it: without a listener, a client that resets it would end the process.
    socket.on('error', () => void socket.destroy());
    socket.end(rawAnswer(new PinfoldError('method_not_allowed', { detail: 'This is not a proxy.' })));
  });
}

function rawAnswer(refusal: PinfoldError): string {
  const { status, headers, body } = problemOf(refusal, randomUUID());
  const text = JSON.stringify(body);
  const head = {
    ...headers,
    'content-type': problemType,
    'content-length': Buffer.byteLength(text),
    connection: 'close',
  };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${text}`;
}
