/**
 * How often a repeated test goes round: PINFOLD_TEST_ROUNDS, else what the test thinks enough for every run.
 *
 * The long runs (`npm run test:crash`) set it; the test itself stays the same.
 */
export function rounds(usual: number): number {
  const given = process.env['PINFOLD_TEST_ROUNDS'];
  if (given === undefined) return usual;
  const count = Number(given);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new Error(`PINFOLD_TEST_ROUNDS is not a count: ${given}`);
  return count;
}
