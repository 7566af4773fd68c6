import { execFileSync } from 'node:child_process';
import { mountBpffs } from '../test/support/bpffs.ts';
import { startAgent } from './support/agent.ts';
import { makePinnedMaps } from './support/maps.ts';
import { faster, inTurn, type Scenario } from './support/scenario.ts';

const mapsMany = 5000;
const ndjson = 'application/x-ndjson';

/** Listing what is pinned, against bpftool, which opens every pin for every list. */
export const lists: Scenario = {
  name: 'lists',
  run: async () => {
    const bpffs = mountBpffs();
    using holder = await makePinnedMaps(bpffs.path, mapsMany);
    holder.end();
    using agent = await startAgent(bpffs);
    const get = (path: string, accept?: string) => async (): Promise<void> => {
      const text = await agent.request('GET', path, accept === undefined ? {} : { accept });
      if (!text.includes('pf_bench')) throw new Error(`nothing in the answer to ${path}`);
    };
    const bpftool = (): void => {
      execFileSync('bpftool', ['-j', '-f', 'map', 'show'], { maxBuffer: 1 << 28 });
    };
    const [tool = [], page = [], whole = [], freshPage = [], freshWhole = []] = await inTurn(
      [
        bpftool,
        get('/v1/pins?limit=500'),
        get('/v1/pins', ndjson),
        get('/v1/pins?limit=500&fresh=true'),
        get('/v1/pins?fresh=true', ndjson),
      ],
      15,
    );
    return [
      faster(`page of 500 of ${mapsMany} pins`, page, tool, 30),
      faster(`all ${mapsMany} pins as NDJSON`, whole, tool, 5),
      faster('page of 500, fresh', freshPage, tool, 0),
      faster('all as NDJSON, fresh', freshWhole, tool, 0),
    ];
  },
};
