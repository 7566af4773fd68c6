import { Client } from 'undici';
import type { Clock } from '../../model/clock.ts';
import { isPinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { parseRetryAfter } from '../../model/webhook/backoff.ts';
import { cloudEventsType, type WebhookMessage } from '../../model/webhook/message.ts';
import { parseTarget, type Target } from '../../model/webhook/target.ts';
import { guardedConnector, OutOfReach, type Reach } from './connect.ts';
import { signatureOf } from './sign.ts';

/** How an attempt ended: accepted, answered otherwise, not answered, or not even tried. */
export type AttemptResult = 'delivered' | 'rejected' | 'failed' | 'blocked';

/** One attempt. */
export interface Attempt {
  readonly result: AttemptResult;
  readonly status: number | null;
  /** What went wrong, in a few words; nothing of the answer's body. */
  readonly error: string | null;
  readonly retryAfterMs: number | undefined;
  readonly durationMs: number;
}

/** Sends to one receiver over one connection that is kept while all goes well; whatever fails ends it. */
export class Sender {
  readonly #url: string;
  readonly #secrets: readonly Uint8Array[];
  readonly #reach: Reach;
  readonly #clock: Clock;
  #client: Client | undefined;

  constructor(parts: {
    readonly url: string;
    readonly secrets: readonly Uint8Array[];
    readonly reach: Reach;
    readonly clock: Clock;
  }) {
    this.#url = parts.url;
    this.#secrets = parts.secrets;
    this.#reach = parts.reach;
    this.#clock = parts.clock;
  }

  /** Tries once; within limits.webhookTimeoutMs it is answered, or has failed. Never rejects. */
  async send(message: WebhookMessage, stop: AbortSignal): Promise<Attempt> {
    const began = this.#clock.monotonicMs();
    const attempt = new AbortController();
    const abort = (): void => attempt.abort();
    const timer = setTimeout(abort, limits.webhookTimeoutMs);
    stop.addEventListener('abort', abort, { once: true });
    if (stop.aborted) abort();
    try {
      return this.#judged(began, await this.#post(message, attempt.signal));
    } catch (error) {
      this.close();
      const result = error instanceof OutOfReach || isPinfoldError(error) ? 'blocked' : 'failed';
      const text = attempt.signal.aborted && result === 'failed' ? timedOut : textOf(error);
      return { result, status: null, error: text, retryAfterMs: undefined, ...this.#took(began) };
    } finally {
      clearTimeout(timer);
      stop.removeEventListener('abort', abort);
    }
  }

  /** Ends the connection; the next attempt resolves the name again. */
  close(): void {
    const client = this.#client;
    this.#client = undefined;
    void client?.destroy();
  }

  /** The head of the answer decides; of its body a bounded piece is taken, for the connection to stay. */
  async #post({ id, body }: WebhookMessage, signal: AbortSignal): Promise<Head> {
    const timestamp = Math.floor(this.#clock.now().getTime() / 1000);
    const target = parseTarget(this.#url, this.#reach.allowed);
    const {
      statusCode,
      headers,
      body: answered,
    } = await this.#connected(target).request({
      method: 'POST',
      path: target.path,
      headers: {
        'content-type': cloudEventsType,
        'user-agent': 'pinfold',
        'webhook-id': id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': signatureOf({ id, timestamp, body }, this.#secrets),
      },
      body,
      signal,
    });
    try {
      await answered.dump({ limit: limits.webhookAnswerBytesMax, signal });
    } catch {
      // It has answered; that it does not end its answer is no failure, but the connection is of no more use.
      this.close();
    }
    return { status: statusCode, retryAfter: textIn(headers['retry-after']), date: textIn(headers['date']) };
  }

  /** What was allowed when the webhook was made need not be any more, so its URL is judged again. */
  #connected(target: Target): Client {
    if (this.#client !== undefined) return this.#client;
    const client: Client = new Client(target.origin, {
      connect: guardedConnector(target, this.#reach, () => this.#client === client),
      pipelining: 1,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      keepAliveMaxTimeout: limits.keepAliveTimeoutMs,
      headersTimeout: limits.webhookTimeoutMs,
      bodyTimeout: limits.webhookTimeoutMs,
    });
    this.#client = client;
    return client;
  }

  #judged(began: number, { status, retryAfter, date }: Head): Attempt {
    const took = this.#took(began);
    if (status >= 200 && status < 300)
      return { result: 'delivered', status, error: null, retryAfterMs: undefined, ...took };
    const error = status >= 300 && status < 400 ? 'redirects are not followed' : 'not accepted';
    return { result: 'rejected', status, error, retryAfterMs: parseRetryAfter(retryAfter, date), ...took };
  }

  #took(began: number): { readonly durationMs: number } {
    return { durationMs: Math.max(0, Math.round(this.#clock.monotonicMs() - began)) };
  }
}

interface Head {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly date: string | undefined;
}

const timedOut = `not answered within ${limits.webhookTimeoutMs / 1000} s`;

function textIn(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.[0];
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : '';
  return `${error instanceof OutOfReach ? '' : code}${error.message}`.slice(0, 200);
}
