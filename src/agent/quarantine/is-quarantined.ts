import { PinfoldError } from '../../model/error.ts';
import { escapeBytes, type PinPath, pathMembers } from '../../model/path.ts';

/** What whoever asks for a pin is told that was moved aside. */
export function isQuarantined(path: PinPath, id: string): PinfoldError {
  const shown = escapeBytes(path);
  const detail = `What was at "${shown}" is in quarantine: \`pinfold restore ${id}\` gives it its name back.`;
  return new PinfoldError('quarantined', { detail, ...pathMembers(path), quarantine_id: id });
}
