/** Who asks for a change where a test is about something else, and all that may be said with one. */
export const operatorContext = {
  caller: { actor: 'api:test', role: 'operator' },
  requestId: null,
  ifMatch: undefined,
  createOnly: false,
  accept: new Set<never>(),
  force: false,
  dryRun: false,
} as const;
