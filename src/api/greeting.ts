/** What whoever starts an agent is told once it serves. */
export interface Greeting {
  readonly version: string;
  readonly node: string;
  readonly addresses: readonly string[];
  readonly tokenFile: string;
  /** On a terminal only: shown once, and never written to a log. */
  readonly secret: string | undefined;
  /** On all mounts together. */
  readonly pins: number;
  readonly mounts: number;
  readonly objects: number;
}

/**
 * The start-up message: where the API and its documentation are, where the token is, and what is seen.
 *
 * The secret stands in the fragment of a URL, which browsers keep to themselves.
 */
export function greetingText(greeting: Greeting): string {
  const { addresses, secret } = greeting;
  const web = addresses.find((address) => address.startsWith('http'));
  const pins = `${count(greeting.pins, 'pin')} on ${count(greeting.mounts, 'mount')}`;
  const seen = `${pins} and ${count(greeting.objects, 'object')}`;
  const lines = [
    `Pinfold ${greeting.version} on ${greeting.node} sees ${seen}.`,
    ...addresses.map((address) => `  API    ${address}`),
    ...(web === undefined ? [] : [`  docs   ${web}/docs`]),
    `  token  ${greeting.tokenFile}`,
    ...(web === undefined || secret === undefined ? [] : [`  open   ${web}/docs#token=${secret}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** The same of a manager by itself. */
export function managerGreeting(greeting: {
  readonly version: string;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly nodes: number;
  /** Why the nodes may not be known; undefined where they are. */
  readonly trouble: string | undefined;
}): string {
  const { version, name, addresses, nodes, trouble } = greeting;
  const web = addresses.find((address) => address.startsWith('http'));
  const known =
    trouble === undefined ? `knows ${count(nodes, 'node')}` : `does not know its nodes: ${trouble}`;
  const lines = [
    `Pinfold ${version} manages a fleet as ${name} and ${known}${trouble === undefined ? '.' : ''}`,
    ...addresses.map((address) => `  API    ${address}`),
    ...(web === undefined ? [] : [`  docs   ${web}/docs`]),
  ];
  return `${lines.join('\n')}\n`;
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}
