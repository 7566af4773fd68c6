/** Colours for terminals; each gives the text back unchanged where colour is not wanted. */
export interface Style {
  good(text: string): string;
  careful(text: string): string;
  bad(text: string): string;
  strong(text: string): string;
  faint(text: string): string;
}

/**
 * SGR sequences (ECMA-48), or none: a set NO_COLOR (https://no-color.org) and a dumb terminal switch them
 * off.
 */
export function styleFor(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Style {
  const isOn = isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const paint = (code: number) => (text: string) =>
    isOn && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text;
  return { good: paint(32), careful: paint(33), bad: paint(31), strong: paint(1), faint: paint(2) };
}
