/** What node's TAP reporter counts at the end of a file. */
export const countNames = ['tests', 'pass', 'fail', 'cancelled', 'skipped', 'todo'];

/**
 * What a process that ran one test file came to: node's own totals, and the names of the tests that failed.
 *
 * A process that ended badly though it told of no failure, because it died before it could or left a
 * descriptor open, has failed itself.
 */
export function readReport(said, ended) {
  const totals = totalsOf(said);
  const failures = failuresOf(said);
  if (ended !== 'code 0' && totals.fail + totals.cancelled === 0) totals.fail = 1;
  if (totals.fail + totals.cancelled > 0 && failures.length === 0) {
    failures.push(`the file itself, which ended with ${ended}`);
  }
  return { totals, failures };
}

/** The sum of the totals of several files. */
export function sumOf(reports) {
  const sum = (name) => reports.reduce((total, { totals }) => total + totals[name], 0);
  return Object.fromEntries(countNames.map((name) => [name, sum(name)]));
}

function totalsOf(said) {
  const count = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(said)?.[1] ?? 0);
  return Object.fromEntries(countNames.map((name) => [name, count(name)]));
}

/** The tests that failed themselves, not only because of a test within them. */
function failuresOf(said) {
  const failed = [...said.matchAll(/^ *not ok \d+ - (.*)\n( *---\n[\s\S]*?\n *\.\.\.$)?/gm)];
  return failed.flatMap(([, name, details = '']) =>
    details.includes("failureType: 'subtestsFailed'") ? [] : name,
  );
}
