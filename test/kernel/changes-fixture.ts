import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { uptime } from 'node:os';
import { afterEach } from 'node:test';
import type { ChangeContext, ChangeResult, MountChoice } from '../../src/agent/agent.ts';
import { ClaimBook } from '../../src/agent/claim/claim-book.ts';
import { AnnotationIndex } from '../../src/agent/inventory/annotations.ts';
import { Inventory } from '../../src/agent/inventory/inventory.ts';
import { ChangeRecorder } from '../../src/agent/inventory/recorder.ts';
import { carryOut } from '../../src/agent/operation/carry-out.ts';
import type { OperationEnvironment } from '../../src/agent/operation/environment.ts';
import { operationIds } from '../../src/agent/operation/operation-id.ts';
import {
  batchRequest,
  type ChangeRequest,
  makeDirectoryRequest,
  patchRequest,
  pinRequest,
  removeDirectoryRequest,
  unpinRequest,
} from '../../src/agent/operation/request.ts';
import type { MountFinder } from '../../src/agent/operation/sink.ts';
import { QuarantineLedger } from '../../src/agent/quarantine/ledger.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import type { Clock } from '../../src/model/clock.ts';
import { PinfoldError } from '../../src/model/error.ts';
import { type PinPath, parsePath, stagingName } from '../../src/model/path.ts';
import type {
  BatchOperation,
  DirectoryRequest,
  PinPatch,
  PinRequest,
} from '../../src/model/schema/request.ts';
import type { StepName } from '../../src/model/step.ts';
import type { Store } from '../../src/model/store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { type Bpffs, mountBpffs } from '../support/bpffs.ts';
import { forFile } from '../support/disposal.ts';
import { databaseOf } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

/** The real clock. */
export const clock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  bootMs: () => uptime() * 1000,
};

/**
 * Everything changes stand on, over the real kernel and a store of its own, without HTTP and without an
 * observer.
 */
export interface Bench extends Disposable {
  readonly bpffs: Bpffs;
  readonly kernel: Kernel;
  readonly store: Store;
  /** The database of the store, for sqlite3. */
  readonly database: string;
  readonly changes: ImmediateChanges;
  readonly environment: OperationEnvironment;
  /** Steps passed since the last look, oldest first. */
  readonly steps: StepName[];
  /** Called at each step, until it is replaced. */
  onStep: (step: StepName) => void;
}

/** The changes of an agent, each carried out at once, in a group of its own. */
export class ImmediateChanges {
  readonly #environment: OperationEnvironment;

  constructor(environment: OperationEnvironment) {
    this.#environment = environment;
  }

  pin(path: PinPath, mount: MountChoice, request: PinRequest, context: ChangeContext): ChangeResult {
    return this.#do(pinRequest(path, request, { mount, context }));
  }

  patch(path: PinPath, mount: MountChoice, patch: PinPatch, context: ChangeContext): ChangeResult {
    return this.#do(patchRequest(path, patch, { mount, context }));
  }

  unpin(path: PinPath, mount: MountChoice, context: ChangeContext): ChangeResult {
    return this.#do(unpinRequest(path, { mount, context }));
  }

  makeDirectory(path: PinPath, mount: MountChoice, request: DirectoryRequest, context: ChangeContext) {
    return this.#do(makeDirectoryRequest(path, request, { mount, context }));
  }

  removeDirectory(path: PinPath, mount: MountChoice, context: ChangeContext): ChangeResult {
    return this.#do(removeDirectoryRequest(path, { mount, context }));
  }

  batch(operations: readonly BatchOperation[], mount: MountChoice, context: ChangeContext): ChangeResult {
    return this.#do(batchRequest(operations, { mount, context }));
  }

  operation(id: string) {
    return this.#environment.store.journal.find(id);
  }

  #do(request: ChangeRequest): ChangeResult {
    const [done] = carryOut(this.#environment, [request]);
    if (done !== undefined && 'result' in done) return done.result;
    throw done?.error;
  }
}

/** What may differ from an ordinary agent. */
export interface BenchOptions {
  readonly isReadOnly?: boolean;
  readonly usesIds?: boolean;
  /** One that is open already, and stays so: opening one takes longer than most changes. */
  readonly kernel?: Kernel;
  /** Wraps the kernel, to let calls fail. */
  readonly wrap?: (kernel: Kernel) => Kernel;
  readonly mountOptions?: string;
}

/** Opens a kernel, a private bpffs, a store and the changes over them. */
export function openBench(options: BenchOptions = {}): Bench {
  const bpffs = mountBpffs(options.mountOptions);
  const state = tempDir('state');
  const own = options.kernel ?? openKernel();
  const kernel = options.wrap?.(own) ?? own;
  const store = openStateIn(state.path, kernel);
  const bench = {
    bpffs,
    kernel,
    store,
    database: databaseOf(state.path),
    steps: [] as StepName[],
    onStep: (_step: StepName): void => undefined,
    [Symbol.dispose]: () => {
      store.close();
      if (options.kernel === undefined) own[Symbol.dispose]();
      bpffs[Symbol.dispose]();
      state[Symbol.dispose]();
    },
  };
  const onStep = (step: StepName): void => {
    bench.steps.push(step);
    bench.onStep(step);
  };
  const environment = environmentOf({ ...bench, ...options, onStep });
  return Object.assign(bench, { environment, changes: new ImmediateChanges(environment) });
}

/** Opens the store of a state directory for this boot. */
export function openStateIn(stateDir: string, kernel: Kernel): Store {
  const retention = { retentionMs: 3_600_000, retentionBytes: 1024 ** 3 };
  return openStore({ stateDir, node: 'test', bootId: kernel.facts.bootId, clock, ...retention });
}

/** What an environment is made of. */
export interface EnvironmentParts {
  readonly kernel: Kernel;
  readonly store: Store;
  /** Where the primary bpffs is mounted. */
  readonly bpffs: Pick<Bpffs, 'path'>;
  readonly onStep: (step: StepName) => void;
  readonly isReadOnly?: boolean;
  readonly usesIds?: boolean;
}

/** What changes and recovery stand on, with an inventory that nobody observes for. */
export function environmentOf(parts: EnvironmentParts): OperationEnvironment {
  const { kernel, store, onStep, isReadOnly = false, usesIds = true } = parts;
  const annotations = new AnnotationIndex(kernel.facts.bootId);
  for (const record of store.pins.listPresent()) annotations.set(record, record);
  const claims = claimsOf(parts);
  return {
    kernel,
    store,
    clock,
    onStep,
    onUnsettled: () => undefined,
    isReadOnly,
    usesIds,
    sink: new ChangeRecorder({ store, inventory: new Inventory(), annotations, claims, announce: noOne }),
    quarantine: new QuarantineLedger(store, kernel.facts.bootId, () => undefined),
    claims,
    mounts: mountsOf(parts),
    agentUuid: 'a0000000-0000-4000-8000-000000000001',
    newOperationId: operationIds(clock, randomBytes),
    onOperation: () => undefined,
  };
}

function claimsOf({ kernel, store, bpffs }: EnvironmentParts): ClaimBook {
  const { bootId } = kernel.facts;
  const primaryMount = () => mountId(bpffs);
  return new ClaimBook({ store, clock, bootId, primaryMount, announce: noOne });
}

function noOne(): void {}

/** Scans once, and again where an id is not known or has become another's: what an observer does in time. */
function mountsOf({ kernel, bpffs }: Pick<EnvironmentParts, 'kernel' | 'bpffs'>): MountFinder {
  const primary = mountId(bpffs);
  let known = kernel.bpffs.scanMounts();
  return {
    findMount: (choice = primary) => {
      const find = () => known.find((mount) => mount.id === choice);
      if (!existsSync(find()?.reachableBy ?? '')) known = kernel.bpffs.scanMounts();
      const found = find();
      if (found === undefined) throw new PinfoldError('mount_not_found', { detail: `no bpffs ${choice}` });
      return found;
    },
  };
}

/** `major:minor` of a bpffs, as stat(1) tells it. */
export function mountId(bpffs: Pick<Bpffs, 'path'>): string {
  const { dev } = statSync(bpffs.path);
  return `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
}

/** A request by nobody in particular, with no conditions. */
export function asking(context: Partial<ChangeContext> = {}): ChangeContext {
  return {
    caller: { actor: 'api:test', role: 'operator' },
    requestId: 'request-1',
    ifMatch: undefined,
    createOnly: false,
    accept: new Set(),
    force: false,
    dryRun: false,
    ...context,
  };
}

/** A path as a request has it. */
export function path(text: string): PinPath {
  return parsePath(text);
}

/** What an expected failure says, for `assert.throws`. */
export function failsWith(
  code: string,
  details: Readonly<Record<string, unknown>> = {},
): (thrown: unknown) => boolean {
  return (thrown) => {
    if (!(thrown instanceof PinfoldError)) throw thrown;
    if (thrown.code !== code)
      throw new Error(`expected ${code}, got ${thrown.code}: ${thrown.message}`, { cause: thrown });
    for (const [name, value] of Object.entries(details)) {
      const actual = JSON.stringify(thrown.details[name]);
      if (actual !== JSON.stringify(value))
        throw new Error(`${name} is ${actual}, not ${JSON.stringify(value)}: ${thrown.message}`);
    }
    return true;
  };
}

/** A bench for a whole test file, which each test must leave as it found it: nothing open, nothing staged. */
export function benchForFile(): Bench {
  const bench = forFile(openBench());
  afterEach(() => {
    bench.onStep = () => undefined;
    assert.deepEqual(bench.kernel.fds.transient(), [], 'no descriptor is left open');
    assert.deepEqual(bench.store.journal.listOpen(), [], 'no intent is left open');
    assert.deepEqual(stagedIn(bench), [], 'nothing is left in the staging directory');
  });
  return bench;
}

/** What is in the staging directory. */
export function stagedIn(bench: Pick<Bench, 'bpffs'>): readonly string[] {
  const staging = `${bench.bpffs.path}/${stagingName}`;
  return existsSync(staging) ? readdirSync(staging) : [];
}

/** Lets something happen right after a step, once. */
export function at(bench: Bench, step: StepName, act: () => void): void {
  let isDone = false;
  bench.onStep = (reached) => {
    if (reached !== step || isDone) return;
    isDone = true;
    act();
  };
}

/** Ends a process and waits, without giving the thread away, until the kernel has closed all it had open. */
export function killNow(pid: number): void {
  process.kill(pid, 'SIGKILL');
  const deadline = performance.now() + 60_000;
  while (hasFds(pid)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} does not end`);
  }
}

function hasFds(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).length > 0;
  } catch {
    return false;
  }
}
