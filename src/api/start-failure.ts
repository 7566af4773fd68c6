import { ConfigError } from '../model/config.ts';
import { isPinfoldError } from '../model/error.ts';

/**
 * What a person is told when an agent cannot start: one sentence that says what is missing and what to do.
 *
 * Undefined for a programmer's mistake, which should be seen with its stack.
 */
export function explainStartFailure(thrown: unknown): string | undefined {
  if (thrown instanceof ConfigError || isPinfoldError(thrown)) return thrown.message;
  if (!(thrown instanceof Error) || !('code' in thrown) || typeof thrown.code !== 'string') return undefined;
  const at = placeOf(thrown);
  switch (thrown.code) {
    case 'EADDRINUSE':
      return `Something else listens at ${at} already; stop it, or choose another address with --listen.`;
    case 'EADDRNOTAVAIL':
      return `${at} is not an address of this machine; choose another with --listen.`;
    case 'ENOTFOUND':
      return `The host name of --listen is not known; give an address.`;
    case 'EACCES':
    case 'EPERM':
      return `Permission is denied for ${at}; run the agent as root.`;
    case 'ENOENT':
      return `${at} does not exist.`;
    case 'ENOSPC':
    case 'EROFS':
      return `${at} cannot be written: ${thrown.message}.`;
    default:
      return undefined;
  }
}

function placeOf(error: Error): string {
  if ('address' in error && 'port' in error) return `${String(error.address)}:${String(error.port)}`;
  if ('path' in error) return String(error.path);
  return 'this address';
}
