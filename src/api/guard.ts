import type { IncomingHttpHeaders } from 'node:http';
import { PinfoldError } from '../model/error.ts';

/** Names by which only this machine calls itself. */
export const loopbackNames: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** Refuses what a page in somebody's browser could be made to send to an address it should not reach. */
export type Guard = (headers: IncomingHttpHeaders, host: string | undefined) => void;

/**
 * Makes the guard of a TCP listener.
 *
 * A rebound DNS name shows in the host a request is for; a page of another site shows in `Origin`, `Referer`
 * or `Sec-Fetch-Site` (Fetch Metadata, W3C). `same-site` is refused too: another port of localhost is the
 * same site and nobody we know. There is no CORS: the answer to a preflight is a refusal like any other. The
 * unix socket needs no guard, browsers cannot reach it.
 *
 * @throws PinfoldError host_not_allowed, cross_site (by the guard)
 */
export function createGuard(allowed: readonly string[]): Guard {
  const names = new Set([...loopbackNames, ...allowed].map((name) => name.toLowerCase()));
  // Most requests name the host as the one before did.
  let lastAllowed: string | undefined;
  return (headers, host = '') => {
    if (host !== lastAllowed && !names.has(hostName(host))) {
      throw new PinfoldError('host_not_allowed', {
        detail: 'The request is for a host that this agent does not answer to; allow it with --allow-host.',
      });
    }
    lastAllowed = host;
    assertOurs('Origin', headers.origin, host);
    assertOurs('Referer', headers.referer, host);
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      throw new PinfoldError('cross_site', {
        detail: 'Sec-Fetch-Site says that another site sent this request.',
      });
    }
  };
}

/** The name in a Host header, without its port, in lower case; brackets of an IPv6 address stay. */
function hostName(host: string): string {
  const [, name = ''] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::\d{1,5})?$/.exec(host) ?? [];
  return name.toLowerCase();
}

function assertOurs(header: string, value: string | undefined, host: string): void {
  if (value === undefined) return;
  const [, origin] = /^https?:\/\/([^/?#@]+)(?:[/?#]|$)/.exec(value) ?? [];
  if (origin?.toLowerCase() === host.toLowerCase()) return;
  throw new PinfoldError('cross_site', {
    detail: `${header} names another origin than the one that is called.`,
  });
}
