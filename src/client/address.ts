/** Where an agent listens: a unix socket, whose peer is known by its uid, or a URL. */
export type Address =
  | { readonly kind: 'unix'; readonly socketPath: string }
  | { readonly kind: 'url'; readonly url: string; readonly isLoopback: boolean };

/**
 * Reads `unix:/run/x.sock` (as the agent prints it), `unix:///run/x.sock`, `/run/x.sock`, `http://host:port`,
 * `https://host:port` or `host:port`.
 *
 * Undefined for anything else, also for a URL that carries a user, a path or a query: a token never goes
 * there.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.startsWith('/')) return { kind: 'unix', socketPath: text };
  const socketPath = /^unix:(?:\/\/)?(\/(?!\/).*)$/.exec(text)?.[1];
  if (socketPath !== undefined) return { kind: 'unix', socketPath };
  if (text.startsWith('unix:')) return undefined;
  const full = /^https?:\/\//.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) return undefined;
  const url = new URL(full);
  const isPlain = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!isPlain || url.pathname !== '/' || !(url.port !== '' || full === text)) return undefined;
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  return { kind: 'url', url: url.origin, isLoopback };
}

/** The address as people read and type it. */
export function showAddress(address: Address): string {
  return address.kind === 'unix' ? address.socketPath : address.url;
}
