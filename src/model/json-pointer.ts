/** A member's name as a step of a JSON pointer (RFC 6901, 3). */
export function escapeStep(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The member's name that a step of a JSON pointer stands for (RFC 6901, 4). */
export function unescapeStep(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}
