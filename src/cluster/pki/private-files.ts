import { lstatSync, mkdirSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { PinfoldError } from '../../model/error.ts';
import { escapeText } from '../../model/escape.ts';
import { makeDirectories } from '../../model/make-directories.ts';

/** Makes a directory that only its owner can look into, or makes sure of one. @throws PinfoldError */
export function preparePrivateDir(directory: string): void {
  try {
    makeDirectories({ mkdirSync, statSync }, directory);
    const found = lstatSync(directory);
    if (found.isDirectory() && (found.mode & 0o077) === 0) return;
  } catch (error) {
    throw error instanceof PinfoldError ? error : failed(directory, error);
  }
  throw new PinfoldError('invalid_input', {
    detail: `Others than its owner can use ${escapeText(directory)}, where keys are to be: chmod 700 it.`,
  });
}

/**
 * Writes a key (0600) and its certificate (0644); both, or none.
 *
 * @throws PinfoldError already_exists where one is there, storage_failed
 */
export function writePair(
  files: { readonly keyFile: string; readonly certFile: string },
  texts: { readonly key: string; readonly cert: string },
): void {
  const { keyFile, certFile } = files;
  writeNew(keyFile, texts.key, 0o600);
  try {
    writeNew(certFile, texts.cert, 0o644);
  } catch (error) {
    unlinkSync(keyFile);
    throw error;
  }
}

/**
 * The same in the place of what is there: whoever reads a file meanwhile reads the old or the new one. For a
 * moment the key is already new and the certificate not yet; who reads both then tries again.
 *
 * @throws PinfoldError storage_failed
 */
export function replacePair(
  files: { readonly keyFile: string; readonly certFile: string },
  texts: { readonly key: string; readonly cert: string },
): void {
  const [keyFile, certFile] = [`${files.keyFile}.new`, `${files.certFile}.new`];
  try {
    for (const left of [keyFile, certFile]) rmSync(left, { force: true });
    writePair({ keyFile, certFile }, texts);
    renameSync(keyFile, files.keyFile);
    renameSync(certFile, files.certFile);
  } catch (error) {
    throw error instanceof PinfoldError ? error : failed(files.certFile, error);
  }
}

function writeNew(file: string, text: string, mode: number): void {
  try {
    writeFileSync(file, text, { mode, flag: 'wx' });
  } catch (error) {
    throw failed(file, error);
  }
}

function failed(file: string, error: unknown): PinfoldError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const detail = `${escapeText(file)} cannot be made (${code}).`;
  return new PinfoldError(code === 'EEXIST' ? 'already_exists' : 'storage_failed', { detail }, error);
}
