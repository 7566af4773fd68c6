import { type Thresholds, usualThresholds } from '../../model/finding/thresholds.ts';
import { type ReadingParts, readAllHolders } from '../holder/reading.ts';
import { AgentFindings, type FindingParts } from './findings.ts';

/** What an agent has at hand for findings. */
export interface FindingSources
  extends ReadingParts,
    Pick<
      FindingParts,
      'store' | 'known' | 'claims' | 'unheld' | 'isPinsOnly' | 'announce' | 'observe' | 'onFailure'
    > {
  readonly thresholds: Thresholds | undefined;
}

/** Findings of an agent, with the usual thresholds unless told others. */
export function makeFindings(sources: FindingSources): AgentFindings {
  return new AgentFindings({
    ...sources,
    thresholds: sources.thresholds ?? usualThresholds,
    readHolders: () => readAllHolders(sources),
  });
}
