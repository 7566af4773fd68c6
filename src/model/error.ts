/**
 * The catalogue of everything that can be refused or can fail. Codes are part of the API's contract;
 * `docs/errors.md` lists each with its cure and a test compares the two.
 */
export const errorCatalogue = {
  bad_request: { status: 400, title: 'The request is malformed', retryable: false },
  bad_json: { status: 400, title: 'The body is not JSON', retryable: false },
  bad_cursor: { status: 400, title: 'The cursor is not one this server made', retryable: false },
  unauthenticated: { status: 401, title: 'Credentials are missing or not valid', retryable: false },
  forbidden: { status: 403, title: 'The caller may not do this', retryable: false },
  host_not_allowed: { status: 403, title: 'The Host header is not on the allow-list', retryable: false },
  cross_site: { status: 403, title: 'Requests from other web sites are refused', retryable: false },
  permission_denied: { status: 403, title: 'The kernel refused permission', retryable: false },
  not_found: { status: 404, title: 'There is no such resource', retryable: false },
  pin_not_found: { status: 404, title: 'There is no pin at this path', retryable: false },
  parent_not_found: { status: 404, title: 'The parent directory does not exist', retryable: false },
  directory_not_found: { status: 404, title: 'There is no directory at this path', retryable: false },
  object_not_found: { status: 404, title: 'There is no such object', retryable: false },
  source_not_found: { status: 404, title: 'The source of the pin does not exist', retryable: false },
  mount_not_found: { status: 404, title: 'No such bpffs instance is mounted', retryable: false },
  entry_not_found: { status: 404, title: 'The map has no such entry', retryable: false },
  quarantine_not_found: { status: 404, title: 'There is no such pin in quarantine', retryable: false },
  operation_not_found: { status: 404, title: 'There is no such operation', retryable: false },
  node_not_found: { status: 404, title: 'The fleet has no node of this name', retryable: false },
  webhook_not_found: { status: 404, title: 'There is no such webhook', retryable: false },
  delivery_not_found: { status: 404, title: 'There is no such delivery', retryable: false },
  claim_not_found: { status: 404, title: 'The owner has no claim', retryable: false },
  pinset_not_found: { status: 404, title: 'There is no such pin set', retryable: false },
  token_not_found: { status: 404, title: 'There is no such token', retryable: false },
  method_not_allowed: { status: 405, title: 'The method is not allowed here', retryable: false },
  not_acceptable: { status: 406, title: 'None of the accepted media types can be given', retryable: false },
  request_timeout: { status: 408, title: 'The request took too long to arrive', retryable: true },
  pin_exists: { status: 409, title: 'The path holds another pin', retryable: false },
  already_exists: { status: 409, title: 'Something of this name is already there', retryable: false },
  not_a_directory: { status: 409, title: 'Part of the path is not a directory', retryable: false },
  not_a_pin: { status: 409, title: 'What is at this path is not a pin', retryable: false },
  is_a_directory: { status: 409, title: 'What is at this path is a directory', retryable: false },
  directory_not_empty: { status: 409, title: 'The directory is not empty', retryable: false },
  symlink: { status: 409, title: 'A symbolic link is in the way', retryable: false },
  read_only: { status: 409, title: 'The bpffs or this agent is read-only', retryable: false },
  crosses_mount: { status: 409, title: 'The two places are not on one mount', retryable: false },
  map_full: { status: 409, title: 'The map is full', retryable: false },
  map_frozen: { status: 409, title: 'The map is frozen', retryable: false },
  entry_exists: { status: 409, title: 'The map has this entry already', retryable: false },
  not_editable: { status: 409, title: 'This map cannot be changed that way', retryable: false },
  not_readable: { status: 409, title: 'This map cannot be read that way', retryable: false },
  hazard: { status: 409, title: 'The change would lose something', retryable: false },
  identity_mismatch: { status: 409, title: 'What is there is not what was expected', retryable: true },
  source_mismatch: { status: 409, title: 'The source is not the expected object', retryable: false },
  conflict: { status: 409, title: 'Something else changed this at the same time', retryable: true },
  no_former_generation: { status: 409, title: 'The pin set was never another one', retryable: false },
  not_rolling_out: { status: 409, title: 'No rollout of the pin set is under way', retryable: false },
  staging_unsafe: { status: 409, title: 'The staging directory belongs to someone else', retryable: false },
  precondition_failed: { status: 412, title: 'The resource has changed since it was read', retryable: false },
  lease_lost: { status: 409, title: 'The lease is over', retryable: true },
  body_too_large: { status: 413, title: 'The body is too large', retryable: false },
  uri_too_long: { status: 414, title: 'The URL is too long', retryable: false },
  unsupported_media_type: { status: 415, title: 'The body must be JSON', retryable: false },
  not_a_manager: { status: 421, title: 'This agent is not a manager of its fleet', retryable: false },
  invalid_input: { status: 422, title: 'The input is not valid', retryable: false },
  bad_path: { status: 422, title: 'The path is not a valid pin path', retryable: false },
  not_pinnable: { status: 422, title: 'This cannot be pinned', retryable: false },
  idempotency_mismatch: {
    status: 422,
    title: 'The idempotency key was used with another body',
    retryable: false,
  },
  quarantined: { status: 423, title: 'The pin is held in quarantine', retryable: false },
  too_many_requests: { status: 429, title: 'A limit is reached', retryable: true },
  headers_too_large: { status: 431, title: 'The header fields are too large', retryable: false },
  internal: { status: 500, title: 'Something went wrong inside Pinfold', retryable: false },
  not_supported: { status: 501, title: 'This kernel cannot do that', retryable: false },
  node_unreachable: { status: 502, title: 'The node did not answer', retryable: true },
  cluster_unavailable: { status: 503, title: 'The cluster store cannot be reached', retryable: true },
  cluster_damaged: { status: 503, title: 'The cluster store holds what cannot be read', retryable: false },
  mount_unavailable: { status: 503, title: 'The bpffs is not mounted where it was', retryable: true },
  not_ready: { status: 503, title: 'The agent is starting or stopping', retryable: true },
  overloaded: { status: 503, title: 'The agent has too much to do', retryable: true },
  out_of_memory: { status: 503, title: 'The kernel is out of memory', retryable: true },
  outcome_unknown: { status: 503, title: 'The outcome of the change is unknown', retryable: false },
  storage_full: { status: 507, title: 'The state directory is full', retryable: true },
  storage_failed: { status: 503, title: 'The state database cannot be used', retryable: true },
} as const satisfies Record<string, ErrorKind>;

interface ErrorKind {
  readonly status: number;
  readonly title: string;
  readonly retryable: boolean;
}

/** A stable snake_case error code of the catalogue. */
export type ErrorCode = keyof typeof errorCatalogue;

/**
 * What a caller may be told about a failure, beside its code; every field becomes a member of problem+json.
 */
export interface ErrorDetails {
  /** One sentence for this occurrence: what happened, to what, and what to do. */
  readonly detail?: string;
  /** The path it is about, as `pathMembers` (path.ts) gives it: text, and base64 where that is not all. */
  readonly path?: string;
  readonly path_bytes?: string;
  readonly kind?: string;
  readonly id?: number;
  /** The system call that failed, such as `bpf(BPF_OBJ_PIN)` or `renameat2`. */
  readonly syscall?: string;
  /** The errno's name, such as `EEXIST`. */
  readonly errno?: string;
  readonly operation_id?: string;
  /** JSON pointers into the request, each with what is wrong there. */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
  /** Seconds after which a retry makes sense. */
  readonly retry_after?: number;
  /** Further members that a code's documentation names, such as `hazards`, `expected`, `actual`. */
  readonly [member: string]: unknown;
}

/**
 * An expected failure. Whoever throws it picks the code; `src/api/problem.ts` alone turns it into a status.
 *
 * A programmer's mistake is never a PinfoldError: it is an assertion, and the process ends.
 */
export class PinfoldError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, cause?: unknown) {
    super(details.detail ?? errorCatalogue[code].title, cause === undefined ? {} : { cause });
    this.name = 'PinfoldError';
    this.code = code;
    this.details = details;
  }
}

/** Tells whether something thrown is an expected failure, optionally of one code. */
export function isPinfoldError(thrown: unknown, code?: ErrorCode): thrown is PinfoldError {
  return thrown instanceof PinfoldError && (code === undefined || thrown.code === code);
}
