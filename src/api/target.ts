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
  const [, route, path, query] = pathRoutes.exec(target) ?? [];
  if (route === undefined || path === undefined || query === undefined) return target;
  return `${route}${encodeURIComponent(escapeHighBytes(path))}${query}`;
}

function escapeHighBytes(path: string): string {
  return path.replace(
    /[\x80-\uffff]/g,
    (char) => `%${(char.charCodeAt(0) & 0xff).toString(16).padStart(2, '0')}`,
  );
}
