import { Type } from 'typebox';
import {
  type ErrorCode,
  type ErrorDetails,
  errorCatalogue,
  isPinfoldError,
  PinfoldError,
} from '../model/error.ts';

/** RFC 9457, with the members of api.md. Some codes add members of their own; docs/errors.md names them. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: '`urn:pinfold:error:` and the code' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String({ description: 'stable; see docs/errors.md' }),
    request_id: Type.String(),
    syscall: Type.Optional(Type.String()),
    errno: Type.Optional(Type.String()),
    path: Type.Optional(Type.String()),
    path_bytes: Type.Optional(Type.String({ description: 'base64 of a path that is not UTF-8' })),
    kind: Type.Optional(Type.String()),
    id: Type.Optional(Type.Integer()),
    operation_id: Type.Optional(Type.String()),
    errors: Type.Optional(Type.Array(Type.Object({ pointer: Type.String(), detail: Type.String() }))),
  },
  { $id: 'Problem' },
);

/** The media type of every refusal. */
export const problemType = 'application/problem+json';

/** A refusal as it goes over the wire. */
export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

const defaultRetrySeconds = 1;

/** Turns an expected failure into its document; the only place that knows which code has which status. */
export function problemOf(error: PinfoldError, requestId: string): Problem {
  const { status, title, retryable } = errorCatalogue[error.code];
  const { detail, retry_after: retryAfter, ...members } = error.details;
  const said = status === 500 ? undefined : detail;
  const headers: Record<string, string> = {};
  if (error.code === 'unauthenticated') headers['www-authenticate'] = 'Bearer realm="pinfold"';
  if (retryAfter !== undefined || (retryable && (status === 429 || status === 503))) {
    headers['retry-after'] = String(retryAfter ?? defaultRetrySeconds);
  }
  if (error.details.operation_id !== undefined) headers['pinfold-operation'] = error.details.operation_id;
  return {
    status,
    headers,
    body: {
      type: `urn:pinfold:error:${error.code}`,
      title,
      status,
      detail: said ?? `${title}.`,
      code: error.code,
      request_id: requestId,
      ...(status === 500 ? accountOf(members) : members),
    },
  };
}

/** Of a defect only what was done until then is told, and where to look it up. */
function accountOf({ operation_id, done, failed }: ErrorDetails): ErrorDetails {
  if (operation_id === undefined) return {};
  return { operation_id, ...(done === undefined ? {} : { done, failed }) };
}

/** What Fastify and its plugins throw, by their codes; what is not here is judged by its status. */
const frameworkCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_JSON_BODY: 'bad_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'bad_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad_request',
  FST_ERR_BAD_URL: 'bad_request',
  FST_ERR_MAX_PARAM_LENGTH: 'uri_too_long',
  FST_ERR_HANDLER_TIMEOUT: 'overloaded',
};

const codesByStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'bad_request',
  403: 'forbidden',
  404: 'not_found',
  408: 'request_timeout',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
  503: 'overloaded',
};

/**
 * Whatever was thrown as an expected failure; what nobody expected becomes `internal` with the original as
 * cause.
 */
export function asPinfoldError(thrown: unknown): PinfoldError {
  if (isPinfoldError(thrown)) return thrown;
  const { code, statusCode } = partsOf(thrown);
  if (code === 'FST_ERR_CTP_INVALID_JSON_BODY' || (code === undefined && thrown instanceof SyntaxError)) {
    return new PinfoldError('bad_json', {}, thrown);
  }
  const known = frameworkCodes[code ?? ''] ?? codesByStatus[statusCode ?? 0];
  return new PinfoldError(known ?? 'internal', {}, thrown);
}

/** Which limit refused, where one did. */
export function limitOf(error: PinfoldError): string | undefined {
  switch (error.code) {
    case 'too_many_requests':
      return typeof error.details['limit'] === 'string' ? error.details['limit'] : 'requests';
    case 'body_too_large':
    case 'uri_too_long':
    case 'headers_too_large':
    case 'request_timeout':
    case 'overloaded':
      return error.code;
    default:
      return undefined;
  }
}

function partsOf(thrown: unknown): {
  readonly code: string | undefined;
  readonly statusCode: number | undefined;
} {
  if (typeof thrown !== 'object' || thrown === null) return { code: undefined, statusCode: undefined };
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
  const statusCode =
    'statusCode' in thrown && typeof thrown.statusCode === 'number' ? thrown.statusCode : undefined;
  return { code, statusCode };
}
