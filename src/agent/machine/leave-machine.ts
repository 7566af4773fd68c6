import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Kernel } from '../../kernel/kernel.ts';
import { openKernel } from '../../kernel/open-kernel.ts';
import type { Clock } from '../../model/clock.ts';
import { PinfoldError } from '../../model/error.ts';
import type { LeaveOptions, LeaveReport, LocalPlaces } from '../../model/local.ts';
import { escapeBytes } from '../../model/path.ts';
import { findQuarantine } from '../../store/find-quarantine.ts';
import { findSetting } from '../../store/find-setting.ts';
import { openStore } from '../../store/open-store.ts';
import { stateFiles } from '../../store/state-dir.ts';
import { createAgent } from '../create-agent.ts';
import { endCopies } from './end-copies.ts';
import { findListener } from './listener.ts';
import { releaseStaging } from './release-staging.ts';
import { nameOf, restoreQuarantine } from './restore-quarantine.ts';

/** Whose things are given back, and by whom. */
export interface Leaving {
  readonly places: LocalPlaces;
  readonly clock: Clock;
  readonly version: string;
}

/**
 * Gives back what the stopped agent of a state directory still holds in any bpffs it can reach.
 *
 * First that agent is started once more without its API, so that interrupted operations are finished or
 * undone, and what is in quarantine gets its names back; then its other staged pins are released, each unless
 * that would cost something nobody accepted; then its empty staging directory is removed. Entries of other
 * agents stay.
 *
 * @throws PinfoldError conflict while the agent runs, storage_failed, not_supported
 */
export async function leaveMachine(leaving: Leaving, options: LeaveOptions): Promise<LeaveReport> {
  const { places } = leaving;
  assertStopped(places);
  const hasState = existsSync(stateFiles(places.stateDir).database);
  const kernel = openKernel();
  try {
    const isReal = hasState && !options.dryRun;
    const finished = isReal ? await finishInterrupted(leaving, kernel) : undefined;
    const kept = isReal ? [] : findQuarantine(places.stateDir, kernel.facts.bootId);
    const restored = finished ?? kept.map(({ mount, path }) => nameOf(mount, escapeBytes(path)));
    const uuid = hasState ? findSetting(places.stateDir, 'agent_uuid') : undefined;
    const restoring = new Set(kept.map(({ slot }) => slot));
    return { ...releaseStaging(kernel, { uuid, bpffs: places.bpffs, options, restoring }), restored };
  } finally {
    kernel[Symbol.dispose]();
  }
}

function assertStopped({ runDir }: LocalPlaces): void {
  const listener = findListener(join(runDir, 'agent.sock'));
  if (listener === undefined) return;
  const who = listener.pid === undefined ? '' : ` as process ${listener.pid}`;
  const how = listener.pid === undefined ? '' : `, or with kill -TERM ${listener.pid}`;
  const detail = `The agent is running${who}; stop it first, with systemctl stop pinfold${how}.`;
  throw new PinfoldError('conflict', { detail });
}

/** Answers what has got its name back. */
async function finishInterrupted(
  { places, clock, version }: Leaving,
  kernel: Kernel,
): Promise<readonly string[]> {
  const { bootId } = kernel.facts;
  const name = hostname();
  const store = openStore({ stateDir: places.stateDir, node: name, bootId, clock, ...retention });
  try {
    let failure: unknown;
    const onFailure = (error: unknown): void => {
      failure ??= error;
    };
    const node = { name, labels: {}, version, isReadOnly: false, isPinsOnly: false };
    const started = createAgent({ kernel, store, clock, node, bpffsPath: places.bpffs, onFailure });
    await started.start();
    const restored = await restoreQuarantine(started.agent);
    await endCopies(started.agent);
    await started.stop();
    if (failure !== undefined) throw failure;
    return restored;
  } finally {
    store.close();
  }
}

/** History is kept as long as an agent keeps it that was told nothing else. */
const retention = { retentionMs: 30 * 24 * 3600 * 1000, retentionBytes: 1024 ** 3 };
