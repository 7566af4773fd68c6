import { createServer } from 'node:net';

const lowest = 10_000;
/** Two processes that run at the same time are hardly ever so many numbers apart. */
const processes = 440;
const portsEach = 50;
let taken = 0;

/**
 * Ports of loopback for servers that must be told theirs, and have it again when they come back.
 *
 * They lie below those that the kernel gives to whoever asks for any (net.ipv4.ip_local_port_range), so that
 * nobody else's connection or listener is given one while its server is down. Each process draws from its
 * own.
 *
 * @throws Error where all of them are in use
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const first = lowest + (process.pid % processes) * portsEach;
  const ports: number[] = [];
  for (let tried = 0; ports.length < count; tried++) {
    if (tried === portsEach) throw new Error(`no ${count} ports are free from ${first} on`);
    const port = first + (taken++ % portsEach);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
