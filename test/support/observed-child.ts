import { startAgent } from './observed.ts';

/**
 * An agent in a process of its own, so that others can look at it from outside: strace, /proc, a signal.
 *
 *   observed-child BPFFS STATE_DIR
 *
 * Says `ready` after the first observation and ends with its standard input. A line `cpu` is answered by the
 * microseconds of processor time used so far and the resident bytes.
 */
const [bpffs = '', stateDir = ''] = process.argv.slice(2);
const observed = await startAgent(bpffs, stateDir);
process.stdout.write('ready\n');
process.stdin.setEncoding('utf8').on('data', (text: string) => {
  if (!text.includes('cpu')) return;
  const { user, system } = process.cpuUsage();
  process.stdout.write(`cpu ${user + system} ${process.memoryUsage().rss}\n`);
});
process.stdin.on('end', () => void observed.stop());
