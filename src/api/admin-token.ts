import { existsSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import type { Clock } from '../model/clock.ts';
import { isPinfoldError } from '../model/error.ts';
import type { Store } from '../model/store.ts';
import { hashOfSecret, newSecret } from './token-secret.ts';

const name = 'admin';

/** Which setting says that this database has had its admin token made. */
const madeSetting = 'admin_token_made';

/**
 * Makes the token of the first start and writes it to a file that only root can read (0600); answers the
 * secret.
 *
 * Later starts read the file. Where it is gone, a new token takes the old one's place; a token that was
 * revoked stays revoked for as long as its file is there.
 */
export function ensureAdminToken(given: {
  readonly store: Store;
  readonly clock: Clock;
  readonly file: string;
}): string {
  const { store, clock, file } = given;
  if (store.settings.get(madeSetting) !== undefined && existsSync(file))
    return readFileSync(file, 'utf8').trim();
  const secret = newSecret();
  store.transaction(() => {
    removeOld(store);
    store.tokens.add({
      name,
      role: 'admin',
      sha256: hashOfSecret(secret),
      createdAt: clock.now().toISOString(),
      expiresAt: null,
      lastUsedAt: null,
      createdBy: 'first start',
    });
    store.settings.set(madeSetting, clock.now().toISOString());
    writePrivately(file, `${secret}\n`);
  });
  return secret;
}

function removeOld(store: Store): void {
  try {
    store.tokens.remove(name);
  } catch (error) {
    if (!isPinfoldError(error, 'token_not_found')) throw error;
  }
}

/** The file appears complete and private, or not at all. */
function writePrivately(file: string, text: string): void {
  const partial = `${file}.new`;
  if (existsSync(partial)) unlinkSync(partial);
  writeFileSync(partial, text, { mode: 0o600, flag: 'wx' });
  renameSync(partial, file);
}
