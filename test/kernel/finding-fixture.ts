import assert from 'node:assert/strict';
import type { AgentOptions } from '../../src/agent/create-agent.ts';
import { type Thresholds, usualThresholds } from '../../src/model/finding/thresholds.ts';
import type { FindingDocument, RuleId } from '../../src/model/schema/finding.ts';
import { type Bpffs, mountBpffs } from '../support/bpffs.ts';
import { mountId, startAgent, type TestAgent } from '../support/observed.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

/** An agent that finds fault at once, unless thresholds say otherwise, on a bpffs of its own. */
export interface FindingAgent extends AsyncDisposable {
  readonly observed: TestAgent;
  readonly bpffs: Bpffs;
  /** Where its state is. */
  readonly dir: TempDir;
  /** `major:minor` of its bpffs. */
  readonly mount: string;
  /** What a rule finds now, on the whole machine. */
  find(rule: RuleId): Promise<readonly FindingDocument[]>;
  /** The ids, in order, of the objects among these that a rule objects to now. */
  idsOf(rule: RuleId, ids: readonly number[]): Promise<readonly number[]>;
  /**
   * Waits until these of the objects, and no others of them, are what a rule objects to. Others on the
   * machine open objects in passing, and are holders as long as that.
   */
  untilFound(rule: RuleId, among: readonly number[], expected: readonly number[]): Promise<void>;
}

/** A look at all holders of the machine may take seconds while others are busy. */
const patience = { timeoutMs: 120_000, everyMs: 50 };

/** What is a finding after an hour is one now, and other tests' findings leave no room out. */
const impatient: Thresholds = { ...usualThresholds, minAgeMs: 0, settleMs: 0, perRuleMax: 100_000 };

/** Starts one; `await using` stops it. A second may go on with what the first has, once that is stopped. */
export async function findingAgent(
  thresholds: Partial<Thresholds> = {},
  options: Partial<AgentOptions> = {},
  first?: Pick<FindingAgent, 'bpffs' | 'dir'>,
): Promise<FindingAgent> {
  const bpffs = first?.bpffs ?? mountBpffs('mode=0700');
  const dir = first?.dir ?? tempDir('state');
  const observed = await startAgent(bpffs.path, dir.path, {
    ...options,
    thresholds: { ...impatient, ...thresholds },
  });
  const find = async (rule: RuleId): Promise<readonly FindingDocument[]> => {
    observed.agent.findings.ask();
    await observed.agent.reads.refresh();
    return observed.agent.findings.list().filter((finding) => finding.rule === rule);
  };
  const idsOf = async (rule: RuleId, ids: readonly number[]): Promise<readonly number[]> => {
    const found = (await find(rule)).flatMap(({ subject: { id } }) => id ?? []);
    return found.filter((id) => ids.includes(id)).sort((one, other) => one - other);
  };
  return {
    ...{ observed, bpffs, dir, find, idsOf },
    mount: mountId(bpffs.dev),
    untilFound: async (rule, among, expected) => {
      const sorted = [...expected].sort((one, other) => one - other);
      await untilPasses(async () => assert.deepEqual(await idsOf(rule, among), sorted), patience);
    },
    [Symbol.asyncDispose]: async () => {
      await observed.stop();
      if (first !== undefined) return;
      bpffs[Symbol.dispose]();
      dir[Symbol.dispose]();
    },
  };
}

/** What a holder is told to make a table and a program in it that uses it, each with a pin. */
export function pinnedCircle(directory: string): readonly string[] {
  return [
    'map:prog_array:4:4:4:pf_circle:0',
    `pin:0:${directory}/table`,
    'prog:xdp:pf_circle:0',
    `pin:1:${directory}/program`,
    'put:0:1:1',
  ];
}

/** Holders index their objects from 0; these are their ids. */
export function idsOf(objects: readonly { readonly id: number }[]): readonly number[] {
  return objects.map(({ id }) => id);
}
