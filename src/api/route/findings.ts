import { Type } from 'typebox';
import type { Agent } from '../../agent/agent.ts';
import { PinfoldError } from '../../model/error.ts';
import { isWithin, type PinPath, parsePath, parsePathBytes } from '../../model/path.ts';
import { listOf, ObjectKindSchema, oneOf } from '../../model/schema/common.ts';
import {
  FindingDocument,
  FindingRuleDocument,
  type FindingSubject,
  ruleIds,
  severities,
} from '../../model/schema/finding.ts';
import { answers, list } from '../answers.ts';
import type { App, Parts } from '../app.ts';
import { freshQuery, pageQuery, sendList } from '../list.ts';
import { pageOf } from '../page.ts';
import { parsePrefix, prefixQuery } from '../query.ts';

/** What the list of findings is narrowed by. */
export const FindingsQuery = Type.Object(
  {
    ...pageQuery,
    ...freshQuery,
    ...prefixQuery,
    rule: Type.Optional(oneOf(ruleIds)),
    severity: Type.Optional(oneOf(severities)),
    kind: Type.Optional(ObjectKindSchema),
    id: Type.Optional(Type.Integer({ minimum: 1 })),
    mount: Type.Optional(Type.String({ description: 'major:minor of a bpffs instance' })),
  },
  { additionalProperties: false },
);
type FindingsQuery = Type.Static<typeof FindingsQuery>;

/** What is worth a person's attention, and the rules it was found by. */
export function addFindingRoutes(app: App, parts: Parts): void {
  addRulesRoute(app, parts);
  app.get('/v1/findings', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listFindings',
      summary: 'What is worth attention',
      tags: ['findings'],
      querystring: FindingsQuery,
      response: answers({ 200: list('Findings, by rule.', listOf(FindingDocument)) }),
    },
    handler: (request, reply) => {
      const { query } = request;
      const prefix = parsePrefix(query);
      if (query.fresh === true) parts.agent.findings.ask();
      return sendList(parts, request, reply, (slice) => {
        if (query.rule !== undefined) parts.agent.findings.assertTried(query.rule);
        const found = parts.agent.findings.list().filter((finding) => matches(finding, query, prefix));
        return { value: pageOf(found, slice), observedAt: observedAt(parts.agent) };
      });
    },
  });
}

function addRulesRoute(app: App, parts: Parts): void {
  app.get('/v1/findings/rules', {
    config: { role: 'viewer', produces: ['application/json', 'application/x-ndjson'] },
    schema: {
      operationId: 'listFindingRules',
      summary: 'Every rule, what it means, and what became of it',
      tags: ['findings'],
      querystring: Type.Object({ ...pageQuery }, { additionalProperties: false }),
      response: answers({ 200: list('The rules.', listOf(FindingRuleDocument)) }),
    },
    handler: (request, reply) =>
      sendList(parts, request, reply, (slice) => ({
        value: pageOf(parts.agent.findings.rules(), slice),
        observedAt: observedAt(parts.agent),
      })),
  });
}

function matches(finding: FindingDocument, query: FindingsQuery, prefix: PinPath | undefined): boolean {
  const { rule, severity, kind, id, mount } = query;
  const { subject } = finding;
  if (rule !== undefined && finding.rule !== rule) return false;
  if (severity !== undefined && finding.severity !== severity) return false;
  if (kind !== undefined && subject.kind !== kind) return false;
  if (id !== undefined && subject.id !== id) return false;
  if (mount !== undefined && subject.mount !== mount) return false;
  const path = pathOf(subject);
  return prefix === undefined || (path !== undefined && isWithin(path, prefix));
}

function pathOf({ path, path_bytes }: FindingSubject): PinPath | undefined {
  if (path_bytes !== undefined) return parsePathBytes(Buffer.from(path_bytes, 'base64'));
  return path === undefined ? undefined : parsePath(path);
}

/** An empty list before the rules were tried once would be untrue. @throws PinfoldError not_ready */
function observedAt({ findings }: Agent): Date {
  const at = findings.observedAt();
  if (at !== undefined) return at;
  throw new PinfoldError('not_ready', { detail: 'The rules have not been tried yet.', retry_after: 1 });
}
