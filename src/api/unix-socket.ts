import { chmodSync, chownSync, lstatSync, mkdirSync, statSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { PinfoldError } from '../model/error.ts';
import { makeDirectories } from '../model/make-directories.ts';

/** The group whose members may reach the socket, where there is one. */
export const socketGroup = 'pinfold';

/**
 * Makes the directory of the socket: 0710 root:pinfold, or 0700 where that group does not exist. Reaching
 * the socket is the first of two locks; the caller's uid is the second.
 *
 * @throws PinfoldError storage_failed where the path can be no directory
 */
export function prepareRunDir(runDir: string, groupId: number | undefined): void {
  makeDirectories({ mkdirSync, statSync }, runDir);
  if (groupId === undefined) {
    chmodSync(runDir, 0o700);
    return;
  }
  chownSync(runDir, 0, groupId);
  chmodSync(runDir, 0o710);
}

/**
 * Removes a socket that nobody listens on any more, as a killed agent leaves it.
 *
 * @throws PinfoldError conflict where somebody answers, or the name is not a socket
 */
export async function removeDeadSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new PinfoldError('conflict', { detail: `${path} is not a socket; move it away.` });
  if (await isAnswered(path)) {
    throw new PinfoldError('conflict', {
      detail: `Another agent answers at ${path}; stop it, or give this one its own --run-dir.`,
    });
  }
  unlinkSync(path);
}

/** Opens the socket to root and the group (0660); the directory keeps everybody else out even before. */
export function openToGroup(path: string, groupId: number | undefined): void {
  if (groupId !== undefined) chownSync(path, 0, groupId);
  chmodSync(path, 0o660);
}

async function isAnswered(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
