import type { StepName } from '../../../src/model/step.ts';
import { initialPins, type Scenario, type Scene } from './scene.ts';

function changed(scene: Scene, change: (names: Map<string, number>) => void): ReadonlyMap<string, number> {
  const names = new Map(initialPins(scene));
  change(names);
  return new Map([...names].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const source = (scene: Scene) => ({ kind: 'map', id: scene.fresh }) as const;

/** One change of each kind, with parents, permissions and labels wherever it has them. */
export const scenarios = {
  pin: {
    name: 'pin',
    change: (scene) => ({
      do: 'pin',
      path: 'a/b/new',
      request: { source: source(scene), parents: true, mode: '0640', uid: 1000, labels: { app: 'x' } },
    }),
    after: (scene) => changed(scene, (names) => names.set('a/b/new', scene.fresh)),
  },
  replace: {
    name: 'replace',
    change: (scene) => ({
      do: 'pin',
      path: 'old',
      request: { source: source(scene), replace: true, mode: '0640' },
    }),
    after: (scene) => changed(scene, (names) => names.set('old', scene.fresh)),
  },
  unpin: {
    name: 'unpin',
    change: () => ({ do: 'unpin', path: 'old' }),
    after: (scene) => changed(scene, (names) => names.delete('old')),
  },
  rename: {
    name: 'rename',
    change: () => ({ do: 'patch', path: 'old', patch: { path: 'a/b/moved', parents: true } }),
    after: (scene) =>
      changed(scene, (names) => {
        names.delete('old');
        names.set('a/b/moved', scene.old);
      }),
  },
  renameOver: {
    name: 'rename over another',
    change: () => ({ do: 'patch', path: 'old', patch: { path: 'other', replace: true, mode: '0640' } }),
    after: (scene) =>
      changed(scene, (names) => {
        names.delete('old');
        names.set('other', scene.old);
      }),
  },
  attributes: {
    name: 'attributes',
    change: () => ({ do: 'patch', path: 'old', patch: { mode: '0640', uid: 1000, labels: { app: 'x' } } }),
    after: (scene) => changed(scene, () => undefined),
  },
  batch: {
    name: 'batch',
    change: (scene) => ({
      do: 'batch',
      operations: [
        { op: 'mkdir', path: 'd' },
        { op: 'pin', path: 'd/new', source: source(scene) },
        { op: 'pin', path: 'other', source: source(scene), replace: true },
        { op: 'rename', path: 'd/new', to: 'd/newer' },
        { op: 'attributes', path: 'd/newer', mode: '0640', labels: { app: 'x' } },
        { op: 'unpin', path: 'old' },
      ],
    }),
    after: (scene) =>
      changed(scene, (names) => {
        names.delete('old');
        names.set('other', scene.fresh);
        names.set('d/newer', scene.fresh);
      }),
  },
  unpinBatch: {
    name: 'batch of removals',
    change: () => ({
      do: 'batch',
      operations: [
        { op: 'unpin', path: 'old' },
        { op: 'rename', path: 'spare', to: 'kept' },
      ],
    }),
    after: (scene) =>
      changed(scene, (names) => {
        names.delete('old');
        names.delete('spare');
        names.set('kept', scene.old);
      }),
  },
} as const satisfies Record<string, Scenario>;

/** A place to die at. */
export interface Death {
  readonly scenario: Scenario;
  readonly step: StepName;
  readonly nth: number;
}

const once = (scenario: Scenario, ...steps: readonly StepName[]): readonly Death[] =>
  steps.map((step) => ({ scenario, step, nth: 1 }));

/** Every named step of every change, the repeated ones of a batch at each of their passings. */
export const deaths: readonly Death[] = [
  ...once(
    scenarios.pin,
    'pin.source_held',
    'pin.intent_committed',
    'pin.staged',
    'pin.attributes_set',
    'pin.named',
    'pin.settled',
  ),
  ...once(
    scenarios.replace,
    'replace.source_held',
    'replace.intent_committed',
    'replace.staged',
    'replace.attributes_set',
    'replace.exchanged',
    'replace.checked',
    'replace.displaced_unlinked',
    'replace.settled',
  ),
  ...once(
    scenarios.unpin,
    'unpin.checked',
    'unpin.intent_committed',
    'unpin.moved_aside',
    'unpin.checked_again',
    'unpin.unlinked',
    'unpin.counted',
    'unpin.settled',
  ),
  ...once(
    scenarios.rename,
    'rename.checked',
    'rename.intent_committed',
    'rename.renamed',
    'rename.checked_again',
    'rename.settled',
  ),
  ...once(scenarios.renameOver, 'rename.intent_committed', 'rename.renamed', 'rename.checked_again'),
  ...once(scenarios.attributes, 'attributes.intent_committed', 'attributes.changed', 'attributes.settled'),
  ...once(scenarios.batch, 'batch.intent_committed', 'batch.committed', 'batch.settled'),
  ...[1, 2, 3, 4, 5, 6].map((nth): Death => ({ scenario: scenarios.batch, step: 'batch.step_done', nth })),
  ...[1, 2].map((nth): Death => ({ scenario: scenarios.batch, step: 'batch.displaced_unlinked', nth })),
  ...once(scenarios.unpinBatch, 'batch.step_done', 'batch.committed'),
];
