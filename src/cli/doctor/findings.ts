import type { Finding } from '../../client/documents.ts';
import { escapeText } from '../../model/escape.ts';
import { severities } from '../../model/word-lists.ts';
import { type Check, fail, ok, warn } from './check.ts';

/** What asking the agent for its findings came to. */
export type Found = readonly Finding[] | { readonly failure: string };

/**
 * What the agent's rules object to, one line a rule: critical ones fail, warnings warn, what is only good to
 * know is counted. Nothing is said where no agent answers.
 */
export function checkFindings(findings: Found | undefined): Check[] {
  if (findings === undefined) return [];
  if ('failure' in findings) {
    const advice = 'Restart the agent with the version that is installed, or look at its log.';
    return [fail('findings', `cannot be had: ${escapeText(findings.failure)}`, advice)];
  }
  const serious = findings.filter(({ severity }) => severity !== 'info');
  const byRule = new Map<string, Finding[]>();
  for (const finding of serious) byRule.set(finding.rule, [...(byRule.get(finding.rule) ?? []), finding]);
  const infos = findings.length - serious.length;
  const told = infos === 0 ? '' : `; ${infos} for information, see \`pinfold get findings\``;
  if (byRule.size === 0) return [ok('findings', `none that needs attention${told}`)];
  return [...byRule].map(([rule, found]) => checkRule(rule, found));
}

function checkRule(rule: string, found: readonly Finding[]): Check {
  const [worst] = [...found].sort((one, other) => rankOf(other) - rankOf(one));
  const count = found.length === 1 ? '' : ` (the first of ${found.length})`;
  const finding = `${escapeText(worst?.summary ?? '')}${count}`;
  const make = worst?.severity === 'critical' ? fail : warn;
  return make(escapeText(rule), finding, escapeText(worst?.advice ?? ''));
}

function rankOf({ severity }: Finding): number {
  return severities.indexOf(severity);
}
