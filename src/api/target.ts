/** The routes whose last part is a path of many names, or a name of any bytes. */
const pathRoutes = /^(\/v1\/(?:(?:pins|directories|claims)|cluster\/nodes\/[^/?]+\/api)\/)([^?]*)(.*)$/s;

/**
 * Rewrites a request target so that the path of a pin reaches its route as it came.
 *
 * Routers decode percent escapes as UTF-8 and split at slashes; names in bpffs are bytes, and `%FF` is one
 * of them. The rest of such a target is therefore escaped once more into a single segment, and the router's
 * one decoding gives back what the client sent; `parseUrlPath` alone reads it. Bytes above 127, which Node
 * shows as latin1 characters, become escapes.
 */
export function rewriteTarget(target: string): string {
  const own = originForm(target);
  const [, route, path, query] = pathRoutes.exec(own) ?? [];
  if (route === undefined || path === undefined || query === undefined) return own;
  return `${route}${encodeURIComponent(escapeHighBytes(path))}${query}`;
}

const absolute = /^https?:\/\/([^/?#]*)/i;

/** As a target is sent to a server: of a whole URL, as proxies are sent one, what follows the host. */
function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const own = target.replace(absolute, '');
  return own.startsWith('/') || own === target ? own : `/${own}`;
}

/**
 * The host a request is for: that of its target, where that is a whole URL (RFC 9112, 3.2.2), or of `Host`.
 */
export function hostOf(target: string, host: string | undefined): string | undefined {
  if (target.startsWith('/')) return host;
  return absolute.exec(target)?.[1] ?? host;
}

function escapeHighBytes(path: string): string {
  return path.replace(
    /[\x80-\uffff]/g,
    (char) => `%${(char.charCodeAt(0) & 0xff).toString(16).padStart(2, '0')}`,
  );
}
