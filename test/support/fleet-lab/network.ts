import { execFileSync } from 'node:child_process';
import { disposable } from '../disposal.ts';
import { type Namespaces, openNamespaces } from '../mount-ns.ts';
import { start } from '../process.ts';

/**
 * A network of machines that are namespaces: each has a network and a mount namespace of its own, with its
 * own bpffs at /sys/fs/bpf, and a cable (veth) to one bridge in a namespace in the middle. The processes that
 * keep the namespaces are all there is to clean up: with them go devices, addresses and mounts.
 */
export interface LabNetwork extends Disposable {
  /** Adds a machine. */
  add(name: string): Promise<LabMachine>;
  /** Takes these machines off the network, or cuts them off from some others only; nobody is told. */
  cut(names: readonly string[], from?: readonly string[]): void;
  /** All cables and neighbours are as in the beginning. */
  heal(): void;
}

/** One machine of the network. */
export interface LabMachine {
  readonly name: string;
  /** Its address, which all others reach. */
  readonly ip: string;
  readonly spaces: Namespaces;
}

/** Where a packet goes that nobody takes: a hardware address that no machine has. */
const nowhere = '02:00:00:00:00:99';

/** The end of a machine's cable that is in the middle. */
function cableOf(name: string): string {
  return `to-${name}`;
}

/** Makes the bridge; machines are added to it. */
export async function openLabNetwork(): Promise<LabNetwork> {
  const script = 'ip link add br0 type bridge && ip link set br0 up && echo ready && exec cat';
  const middle = start('unshare', ['--net', 'sh', '-c', script]);
  await middle.line(/^ready$/);
  const machines = new Map<string, LabMachine>();
  const inMiddle = (...words: readonly string[]): void => {
    execFileSync('nsenter', [`--net=/proc/${middle.pid}/ns/net`, '--', 'ip', ...words], { stdio: 'pipe' });
  };
  const machine = (name: string): LabMachine => {
    const found = machines.get(name);
    if (found === undefined) throw new Error(`the lab has no machine ${name}`);
    return found;
  };
  const loseSightOf = (one: LabMachine, other: LabMachine): void => {
    one.spaces.run('ip', 'neigh', 'replace', other.ip, 'lladdr', nowhere, 'dev', 'eth0', 'nud', 'permanent');
  };
  return {
    add: async (name) => {
      const added = { name, ip: `10.77.0.${machines.size + 1}`, spaces: await openNamespaces({ net: true }) };
      machines.set(name, added);
      const { pid, run } = added.spaces;
      const cable = cableOf(name);
      inMiddle('link', 'add', 'name', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
      inMiddle('link', 'set', cable, 'master', 'br0', 'up');
      run('ip', 'addr', 'add', `${added.ip}/24`, 'dev', 'eth0');
      run('ip', 'link', 'set', 'eth0', 'up');
      return added;
    },
    cut: (names, from) => {
      for (const name of names) {
        if (from === undefined) inMiddle('link', 'set', cableOf(name), 'down');
        for (const other of from ?? []) {
          loseSightOf(machine(name), machine(other));
          loseSightOf(machine(other), machine(name));
        }
      }
    },
    heal: () => {
      for (const { name, spaces } of machines.values()) {
        inMiddle('link', 'set', cableOf(name), 'up');
        spaces.run('ip', 'neigh', 'flush', 'dev', 'eth0', 'nud', 'permanent');
      }
    },
    ...disposable(() => {
      for (const { spaces } of machines.values()) spaces[Symbol.dispose]();
      middle[Symbol.dispose]();
    }),
  };
}
