import { openKernel } from '../../src/kernel/open-kernel.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { asking, environmentOf, ImmediateChanges, openStateIn, path } from './changes-fixture.ts';

/**
 * The changes of an agent in a process of its own, to work against another's at the same moment.
 *
 *   unpin-child BPFFS STATE_DIR
 *
 * Says `ready`. Each line `TIME PATH` unpins the path at that moment (milliseconds since 1970) and is
 * answered by `ok` or the code of the refusal. Ends with its standard input.
 */
const [bpffs = '', stateDir = ''] = process.argv.slice(2);
const kernel = openKernel();
const store = openStateIn(stateDir, kernel);
const changes = new ImmediateChanges(
  environmentOf({ kernel, store, bpffs: { path: bpffs }, onStep: () => undefined }),
);

function unpin(name: string): string {
  try {
    changes.unpin(path(name), undefined, asking());
    return 'ok';
  } catch (error) {
    if (isPinfoldError(error)) return error.code;
    throw error;
  }
}

process.stdout.write('ready\n');
process.stdin.setEncoding('utf8').on('data', (text: string) => {
  for (const line of text.trim().split('\n')) {
    const [time = '', name = ''] = line.split(' ');
    while (Date.now() < Number(time));
    process.stdout.write(`${unpin(name)}\n`);
  }
});
process.stdin.on('end', () => {
  store.close();
  kernel[Symbol.dispose]();
});
