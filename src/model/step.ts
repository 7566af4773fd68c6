/**
 * The places inside an operation at which a killed process or a foreign hand makes a difference.
 * Tests stop or interfere at every one of them; in production nothing listens.
 */
export const steps = [
  'pin.source_held',
  'pin.intent_committed',
  'pin.staged',
  'pin.attributes_set',
  'pin.named',
  'pin.settled',
  'replace.source_held',
  'replace.intent_committed',
  'replace.staged',
  'replace.attributes_set',
  'replace.exchanged',
  'replace.checked',
  'replace.displaced_unlinked',
  'replace.settled',
  'unpin.checked',
  'unpin.intent_committed',
  'unpin.moved_aside',
  'unpin.checked_again',
  'unpin.unlinked',
  'unpin.counted',
  'unpin.settled',
  'rename.checked',
  'rename.intent_committed',
  'rename.renamed',
  'rename.checked_again',
  'rename.settled',
  'attributes.intent_committed',
  'attributes.changed',
  'attributes.settled',
  'batch.intent_committed',
  'batch.step_done',
  'batch.committed',
  'batch.displaced_unlinked',
  'batch.step_undone',
  'batch.settled',
  'recovery.started',
  'recovery.intent_examined',
  'recovery.kernel_changed',
  'recovery.intent_settled',
  'recovery.finished',
] as const;

/** The name of one such place, `operation.what_has_just_been_done`. */
export type StepName = (typeof steps)[number];

/** Called right after each step; it may throw or never return, as a crash would. */
export type OnStep = (step: StepName) => void;
