import type { Typed } from './typed.ts';

/** What to type for a part of a request, by the pointers of refusals; first those of one command. */
const wordsOf: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'create map': {
    '/body/type': '--type',
    '/body/key_size': '--key',
    '/body/value_size': '--value',
    '/body/max_entries': '--entries',
    '/body/name': '--name',
    '/body/flags': '--flag',
    '/body/map_extra': '--map-extra',
    '/body/numa_node': '--numa-node',
    '/body/btf': '--btf-of',
    '/body/btf/map': '--btf-of',
    '/body/btf/key_type': '--key-type',
    '/body/btf/value_type': '--value-type',
    '/body/inner': '--inner',
    '/body/inner/id': '--inner',
    '/body/freeze': '--freeze',
    '/body/pin': 'PATH',
    '/body/pin/path': 'PATH',
    '/body/pin/mode': '--mode',
    '/body/pin/labels': '--label',
    '/body/pin/owner': '--owner',
  },
  dump: { 'ask for peek': '--peek prints the head' },
  top: { '/query/duration': '--interval' },
  'token create': { '/body/name': 'NAME', '/body/role': '--role' },
};

const words: Readonly<Record<string, string>> = {
  'ask for peek': '`pinfold dump --peek` prints the head',
  '/query/key': 'KEY',
  '/query/key_as': '--key-as',
  '/query/value_as': '--value-as',
  '/query/format': '--format',
  '/query/limit': '--limit',
  '/query/accept': '--accept',
  '/query/label': '--label',
  '/query/mount': '--mount',
  '/query/at': '--at',
  '/query/by': '--by',
  '/query/fingerprint': '--fingerprint',
  '/params/hex': 'KEY',
  '/body/value': 'VALUE',
  '/body/mode': '--mode',
  '/body/labels': '--label',
  '/body/owner': '--owner',
};

/**
 * A sentence of the server in the words of the command that was typed: `/body/key_size` is `--key`. What was
 * in a file, or no option stands for, is called by the name it has there: `entries/3/key`.
 */
export function inTypedWords(sentence: string, typed: Typed): string {
  const spoken = sentence.replace('ask for peek', (phrase) => wordOf(phrase, typed));
  return spoken.replace(/(?<![^\s"'(])\/(?:body|query|params)(?:\/[^\s:,;"')]+)?/g, (whole) => {
    const [pointer, end] = whole.endsWith('.') ? [whole.slice(0, -1), '.'] : [whole, ''];
    return wordOf(pointer, typed) + end;
  });
}

function wordOf(pointer: string, { path, isFromFile }: Typed): string {
  const whole = pointer.replace(/\/\d+$/, '');
  const word = wordsOf[path]?.[whole] ?? words[whole];
  const name = pointer.replace(/^\/(body|query|params)\/?/, '');
  if (word !== undefined && !(isFromFile && pointer.startsWith('/body'))) return word;
  return name === '' ? 'it' : name;
}
