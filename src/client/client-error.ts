/**
 * What went wrong before or beyond an answer of the server; all other codes are the server's own
 * (docs/errors.md).
 */
export type TransportCode =
  | 'unreachable'
  | 'socket_denied'
  | 'timed_out'
  | 'cut_short'
  | 'line_too_long'
  | 'forgotten'
  | 'not_pinfold';

/** The members of problem+json (RFC 9457) that every refusal carries, and those that some do. */
export interface Problem {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  readonly request_id?: string;
  readonly operation_id?: string;
  readonly [member: string]: unknown;
}

/**
 * A request that was not answered with what was asked for. `message` is one sentence for people, not yet
 * escaped.
 */
export class ClientError extends Error {
  /** The server's stable code, or one of ours where there was no answer. */
  readonly code: string;
  /** The whole refusal; undefined where there was none. */
  readonly problem: Problem | undefined;

  constructor(code: TransportCode | Problem, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = 'ClientError';
    this.code = typeof code === 'string' ? code : code.code;
    this.problem = typeof code === 'string' ? undefined : code;
  }
}

/** Tells whether something thrown is a refusal with this code. */
export function isClientError(thrown: unknown, code?: string): thrown is ClientError {
  return thrown instanceof ClientError && (code === undefined || thrown.code === code);
}

/** Tells whether no server was spoken to at all, because none listens or its socket may not be opened. */
export function isOutOfReach(thrown: unknown): thrown is ClientError {
  return isClientError(thrown, 'unreachable') || isClientError(thrown, 'socket_denied');
}

/**
 * Makes the error of an answer that is not 2xx.
 *
 * What is not problem+json did not come from Pinfold: a proxy, or another program on that port.
 */
export function errorOf(status: number, body: unknown): ClientError {
  if (isProblem(body)) return new ClientError(body, body.detail ?? body.title);
  return new ClientError('not_pinfold', `The server answered ${status} without saying why; is it Pinfold?`);
}

function isProblem(body: unknown): body is Problem {
  if (typeof body !== 'object' || body === null) return false;
  const { code, status, title, detail }: Readonly<Record<string, unknown>> = { ...body };
  const isDetail = detail === undefined || typeof detail === 'string';
  return typeof code === 'string' && typeof status === 'number' && typeof title === 'string' && isDetail;
}
