import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { isPinfoldError } from '../../src/model/error.ts';
import { rules } from '../../src/model/finding/rules.ts';
import { parsePinSelection } from '../../src/model/finding/selection.ts';
import { parseThresholds, usualThresholds } from '../../src/model/finding/thresholds.ts';
import { limits } from '../../src/model/limits.ts';
import { ruleIds } from '../../src/model/schema/finding.ts';
import { repoPath } from '../support/repo-root.ts';

test('the documentation lists every rule, and none that there is not', () => {
  const text = readFileSync(repoPath('docs/findings.md'), 'utf8');
  const told = [...text.matchAll(/^\| `(\w+)` \| ([^|]+) \|/gm)].map(([, rule, severity]) => [
    rule,
    severity,
  ]);
  assert.deepEqual(
    told.map(([rule]) => rule),
    rules.map(({ id }) => id),
  );
  for (const { id, severities } of rules) {
    const severity = told.find(([rule]) => rule === id)?.[1] ?? '';
    for (const one of severities) assert.ok(severity.includes(one), `${id}: ${one}`);
  }
});

test('every rule has a name of its own, and says what it means and what to do in whole sentences', () => {
  assert.deepEqual(
    rules.map(({ id }) => id),
    [...ruleIds],
  );
  for (const { id, title, meaning, advice } of rules) {
    for (const text of [meaning, advice]) assert.match(text, /^[A-Zc].*[.)]$/s, id);
    assert.match(title, /^[A-Z].*[^.]$/, id);
  }
});

test('without a word in the configuration the usual thresholds hold', () => {
  for (const nothing of [undefined, null, {}]) assert.deepEqual(parseThresholds(nothing), usualThresholds);
});

test('each threshold can be set', () => {
  const parsed = parseThresholds({
    min_age: '2h',
    settle: '5s',
    map_full_ratio: 1,
    program_copies: 2,
    per_rule: 7,
    memory_budgets: [
      { prefix: 'tc/globals', bytes: '64MiB' },
      { owner: 'net', bytes: 1000 },
    ],
    off: ['single_process'],
  });
  assert.deepEqual(
    { ...parsed, off: [...parsed.off] },
    {
      minAgeMs: 7_200_000,
      settleMs: 5000,
      mapFullRatio: 1,
      programCopiesMax: 2,
      perRuleMax: 7,
      memoryBudgets: [
        { of: { prefix: 'tc/globals' }, bytes: 64 * 1024 ** 2 },
        { of: { owner: 'net' }, bytes: 1000 },
      ],
      off: ['single_process'],
    },
  );
});

const badThresholds: readonly unknown[] = [
  7,
  { nonsense: 1 },
  { min_age: '2 hours' },
  { settle: 5 },
  { map_full_ratio: 0 },
  { map_full_ratio: 1.01 },
  { program_copies: 0 },
  { per_rule: 100_001 },
  { memory_budgets: {} },
  { memory_budgets: [{ prefix: 'a', owner: 'b', bytes: 1 }] },
  { memory_budgets: [{ bytes: 1 }] },
  { memory_budgets: [{ prefix: 'a', bytes: '1 MB' }] },
  { memory_budgets: [{ prefix: 'a.b', bytes: 1 }] },
  { off: ['no_such_rule'] },
];

test('thresholds that make no sense are refused in a sentence', () => {
  for (const document of badThresholds) {
    assert.throws(
      () => parseThresholds(document),
      (error) =>
        (error instanceof RangeError || isPinfoldError(error, 'bad_path')) && /\.$/.test(error.message),
      JSON.stringify(document),
    );
  }
});

test('pins with series of their own are chosen by prefix, owner and labels, up to a number of series', () => {
  const parsed = parsePinSelection({
    pins: [{ prefix: 'tc', labels: { app: 7 } }, {}],
    pin_series_max: 50_000,
  });
  assert.deepEqual(parsed, {
    selectors: [
      { prefix: 'tc', owner: undefined, labels: { app: '7' } },
      { prefix: '', owner: undefined, labels: {} },
    ],
    seriesMax: 50_000,
  });
  assert.deepEqual(parsePinSelection(undefined), { selectors: [], seriesMax: limits.pinSeriesDefault });
  const bad = [
    7,
    { pins: 7 },
    { pins: ['tc'] },
    { pins: [{ path: 'tc' }] },
    { pin_series_max: 50_001 },
    { x: 1 },
  ];
  for (const document of bad)
    assert.throws(() => parsePinSelection(document), RangeError, JSON.stringify(document));
});
