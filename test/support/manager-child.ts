import { openEtcdStore } from '../../src/cluster/etcd/etcd-store.ts';
import { NodeDirectory } from '../../src/cluster/membership/nodes.ts';
import { PinSets } from '../../src/cluster/pinset/manager/pin-sets.ts';
import { parseClusterName } from '../../src/model/cluster/key.ts';
import type { ClusterStore } from '../../src/model/cluster/store.ts';
import { createLog } from '../../src/model/log.ts';
import { realClock } from './observed.ts';

/**
 * What of a manager looks after pin sets, in a process of its own that is killed at one of its steps.
 *
 *   manager-child NAME never|before:N|after:N ETCD…
 *
 * Its steps are its writes to the store: the first takes the leadership, the others are rollouts. With
 * `before:2` it is killed when it is about to write the first rollout, with `after:2` when that is written
 * and it does not know yet. Says `ready`, and what it writes.
 */
const [name = '', when = '', ...urls] = process.argv.slice(2);
const log = createLog({ level: 'info', write: (line) => process.stderr.write(line), now: () => new Date() });
const etcd = openEtcdStore({ urls, tls: { ca: undefined, cert: undefined, key: undefined } });
let steps = 0;

function killAt(moment: 'before' | 'after'): void {
  if (when === `${moment}:${steps}`) process.kill(process.pid, 'SIGKILL');
}

const store: ClusterStore = {
  get: (key) => etcd.get(key),
  list: (prefix) => etcd.list(prefix),
  lease: (seconds) => etcd.lease(seconds),
  watch: (prefix, revision, signal) => etcd.watch(prefix, revision, signal),
  close: () => etcd.close(),
  txn: async (transaction) => {
    steps += 1;
    killAt('before');
    const outcome = await etcd.txn(transaction);
    killAt('after');
    process.stdout.write(`wrote ${steps} ${outcome.succeeded}\n`);
    return outcome;
  },
};

const directory = new NodeDirectory({ store, clock: realClock, log });
const manager = parseClusterName(name, 'manager');
const pinSets = new PinSets({ store, directory, name: manager, clock: realClock, log });
await Promise.all([directory.start(), pinSets.start()]);
process.stdout.write('ready\n');
process.stdin.resume().on('end', () => process.exit(0));
