import { connect } from 'node:net';

/** What came back over a bare socket, and how it ended. */
export interface RawAnswer {
  /** Statuses of all answers, in order. */
  readonly statuses: readonly number[];
  readonly text: string;
  readonly isClosed: boolean;
}

/**
 * Sends bytes as they are over a new connection and collects what comes back until it is closed, or has
 * been silent for `patienceMs` after the last byte. Nothing of an HTTP client is in the way.
 */
export async function sendRaw(url: string, bytes: string | Uint8Array, patienceMs = 500): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return await new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    const finish = (isClosed: boolean): void => {
      socket.destroy();
      const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));
      resolve({ statuses, text, isClosed });
    };
    socket.setEncoding('latin1').setTimeout(patienceMs, () => finish(false));
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => finish(true));
    socket.write(bytes);
  });
}
