import { bpffsShadowed } from './rule/bpffs-shadowed.ts';
import { bpffsWritable } from './rule/bpffs-writable.ts';
import { deadLink } from './rule/dead-link.ts';
import { hiddenHolder } from './rule/hidden-holder.ts';
import { linkSinglePin } from './rule/link-single-pin.ts';
import { mapNearFull } from './rule/map-near-full.ts';
import { mapNotFrozen } from './rule/map-not-frozen.ts';
import { memoryBudget } from './rule/memory-budget.ts';
import { orphanCircle } from './rule/orphan-circle.ts';
import { orphanPin } from './rule/orphan-pin.ts';
import { progArraySingleUser } from './rule/prog-array-single-user.ts';
import { programDuplicated } from './rule/program-duplicated.ts';
import { programOutdated } from './rule/program-outdated.ts';
import { ringbufOneSided } from './rule/ringbuf-one-sided.ts';
import { singleProcess } from './rule/single-process.ts';
import type { Rule } from './rule.ts';

/** Every rule, in the order in which they are tried and shown. */
export const rules: readonly Rule[] = [
  orphanPin,
  deadLink,
  hiddenHolder,
  linkSinglePin,
  progArraySingleUser,
  programOutdated,
  ringbufOneSided,
  mapNearFull,
  programDuplicated,
  memoryBudget,
  bpffsWritable,
  bpffsShadowed,
  mapNotFrozen,
  singleProcess,
  orphanCircle,
];
