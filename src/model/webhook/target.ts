import { PinfoldError } from '../error.ts';
import { limits } from '../limits.ts';
import { type AddressRange, parseAddress } from './address.ts';
import { whyOutOfReach } from './reach.ts';

/** Where a webhook leads. */
export interface Target {
  /** `https://host:port`. */
  readonly origin: string;
  /** Path and query, as they are requested. */
  readonly path: string;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly isEncrypted: boolean;
}

/** Below 1024 only the two ports of the web: others belong to services that a stray request could confuse. */
const wellKnownPorts: readonly number[] = [80, 443];

/**
 * Reads the URL of a webhook and refuses what could never be sent to. An address in it is judged here; what a
 * name leads to is judged each time it is connected to.
 *
 * It must be written as it is meant: other readers of URLs differ about backslashes, blanks, letters outside
 * ASCII and names before an `@`.
 * @throws PinfoldError invalid_input
 */
export function parseTarget(text: string, allowed: readonly AddressRange[]): Target {
  if (text.length > limits.webhookUrlCharsMax)
    throw refused(`has more than ${limits.webhookUrlCharsMax} characters`);
  if (!/^[\x21-\x7e]+$/.test(text) || /[\\"<>^`{|}]/.test(text))
    throw refused('has characters that a URL is not written with; escape them (%20, xn--…)');
  const [, scheme, authority = ''] = /^(https?):\/\/([^/?#]*)/i.exec(text) ?? [];
  if (scheme === undefined) throw refused('does not begin with https://');
  if (authority.includes('@')) throw refused('names a user or a password');
  const url = parseUrl(text);
  if (url === undefined || url.hostname === '') throw refused('is not a URL');
  if (text.includes('#')) throw refused('has a fragment, which is never sent');
  const isEncrypted = url.protocol === 'https:';
  const port = Number(url.port || (isEncrypted ? 443 : 80));
  if (port < 1024 && !wellKnownPorts.includes(port))
    throw refused(`names port ${port}; those below 1024 are refused, but 80 and 443`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  assertReachable(host, isEncrypted, allowed);
  return { origin: url.origin, path: `${url.pathname}${url.search}`, host, isEncrypted };
}

function assertReachable(host: string, isEncrypted: boolean, allowed: readonly AddressRange[]): void {
  if (!isEncrypted && allowed.length === 0)
    throw refused('is not encrypted; http is only for ranges that --webhook-allow names');
  if (parseAddress(host) === undefined) return;
  const why = whyOutOfReach(host, { isEncrypted, allowed });
  if (why !== undefined) throw refused(`leads to ${host}, which is ${why}; --webhook-allow can allow it`);
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function refused(why: string): PinfoldError {
  return new PinfoldError('invalid_input', {
    detail: `The URL ${why}.`,
    errors: [{ pointer: '/body/url', detail: why }],
  });
}
