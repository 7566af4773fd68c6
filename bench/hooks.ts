import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { mountBpffs } from '../test/support/bpffs.ts';
import { createMap } from '../test/support/bpftool.ts';
import { repoPath } from '../test/support/repo-root.ts';
import { startAgent } from './support/agent.ts';
import { endedChildrenCpuSeconds } from './support/cpu.ts';
import { below, inTurn, median, type Scenario } from './support/scenario.ts';

const rounds = 60;

/** What hooks of containers and networks cost where their pin is there: the whole script, started anew. */
export const hooks: Scenario = {
  name: 'hooks',
  run: async () => {
    const bpffs = mountBpffs();
    mkdirSync(`${bpffs.path}/tc`);
    createMap(`${bpffs.path}/tc/flows`, { name: 'pf_hooks' });
    using agent = await startAgent(bpffs);
    const oci = repoPath('deploy/oci/pinfold-oci');
    const cni = repoPath('deploy/cni/pinfold');
    const state = JSON.stringify({
      ociVersion: '1.0.2',
      id: 'c1',
      annotations: { 'pinfold/claim': 'tc/flows' },
    });
    const config = JSON.stringify({ cniVersion: '1.1.0', name: 'n', claim: ['tc/flows'] });
    const env = { PINFOLD_SOCKET: agent.socketPath, CNI_CONTAINERID: 'c2', CNI_IFNAME: 'eth0' };
    const add = { ...env, CNI_COMMAND: 'ADD' };
    const before = endedChildrenCpuSeconds();
    const [start = [], stop = [], network = [], leave = [], nothing = []] = await inTurn(
      [
        () => run(oci, ['start'], { env, input: state }),
        () => run(oci, ['stop'], { env, input: state }),
        () => run(cni, [], { env: add, input: config }),
        () => run(cni, [], { env: { ...env, CNI_COMMAND: 'DEL' }, input: config }),
        () => run('/bin/sh', ['-c', 'cat > /dev/null'], { env, input: state }),
      ],
      rounds,
    );
    const used = endedChildrenCpuSeconds() - before;
    return [
      below('OCI hook at start: claim, look, median', median(start), 50, 'ms'),
      below('OCI hook at the end: release, median', median(stop), 50, 'ms'),
      below('CNI plugin, ADD, median', median(network), 50, 'ms'),
      below('CNI plugin, DEL, median', median(leave), 50, 'ms'),
      below('for comparison, a shell that reads its input', median(nothing), 50, 'ms'),
      // Each round and the one that warms up ran four scripts, and the shell, which takes next to nothing.
      below('processor time of a script with its curl', (1000 * used) / (4 * (rounds + 1)), 50, 'ms'),
    ];
  },
};

interface Call {
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
}

/** As a runtime does it: a process, its standard input, its end. */
function run(command: string, args: readonly string[], { env, input }: Call): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { env }, (error, _, complaints) =>
      error === null ? resolve() : reject(new Error(`${command}: ${complaints}`, { cause: error })),
    );
    child.stdin?.end(input);
  });
}
