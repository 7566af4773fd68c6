import { randomBytes } from 'node:crypto';
import { lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { ConfigError } from '../../model/config.ts';
import { PinfoldError } from '../../model/error.ts';
import { escapeText } from '../../model/escape.ts';

const form = /^pinfold-cluster-key-v1 ([A-Za-z0-9_-]{43})\s*$/;

/** A new key: 256 bits that nobody else has. */
export function newClusterKey(): Buffer {
  return randomBytes(32);
}

/**
 * Makes the file of a new key, 0600; what is there already stays.
 *
 * @throws PinfoldError already_exists, storage_failed
 */
export function writeClusterKey(file: string): void {
  try {
    const text = newClusterKey().toString('base64url');
    writeFileSync(file, `pinfold-cluster-key-v1 ${text}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const detail = `The cluster key ${escapeText(file)} cannot be made (${codeOf(error)}).`;
    throw new PinfoldError(
      codeOf(error) === 'EEXIST' ? 'already_exists' : 'storage_failed',
      { detail },
      error,
    );
  }
}

/**
 * Reads the key that agents and managers share. Whoever has it may do on every node what managers may, so a
 * file that others than its owner can read is refused.
 *
 * @throws ConfigError
 */
export function readClusterKey(file: string): Buffer {
  let text: string;
  let mode: number;
  try {
    text = readFileSync(file, 'utf8');
    mode = lstatSync(file).mode;
  } catch (error) {
    throw new ConfigError(`The cluster key ${file} cannot be read (${codeOf(error)}).`);
  }
  if ((mode & 0o077) !== 0) {
    throw new ConfigError(`Others than its owner can use the cluster key ${file}: chmod 600 it.`);
  }
  const [, key] = form.exec(text) ?? [];
  if (key === undefined)
    throw new ConfigError(`${file} is no cluster key; pinfold cluster init FILE makes one.`);
  return Buffer.from(key, 'base64url');
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
