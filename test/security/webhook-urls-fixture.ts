/** Addresses that must not be reached, in every way they can be written. */
const places = [
  '127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001 0x7f.0x0.0x0.0x1',
  '127.0.0.1. 127.0.0.01 0 0.0.0.0 127.255.255.254 10.0.0.1 0xa000001 10.1 012.0.0.1 172.16.0.1',
  '172.31.255.255 0xac100001 192.168.0.1 192.168.1 0xc0a80001 3232235521 169.254.169.254 2852039166',
  '0xa9fea9fe 0251.0376.0251.0376 169.254.43518 100.64.0.1 100.127.255.255 192.0.0.1 192.0.2.1',
  '192.88.99.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1',
  '255.255.255.255 %31%32%37.0.0.1 127%2e0%2e0%2e1 127.0.0.1%00.example.com [::] [::1]',
  '[0:0:0:0:0:0:0:1] [::0001] [::127.0.0.1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:0:127.0.0.1]',
  '[::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1]',
  '[64:ff9b:1::7f00:1] [2002:7f00:1::] [2002:a9fe:a9fe::1] [2001:0:4136:e378::1] [2001:db8::1]',
  '[3fff::1] [fc00::1] [fd00:ec2::254] [fe80::1] [fe80::1%25lo] [fe80::1%lo] [fec0::1] [ff02::1]',
  '[100::1] [5f00::1] [::ffff:8.8.8.8]',
]
  .join(' ')
  .split(' ');

/** Names, and the places that a resolver in an attacker's hand leads them to. */
export const hostileNames: Readonly<Record<string, readonly string[]>> = {
  localhost: ['::1', '127.0.0.1'],
  'localhost.': ['127.0.0.1'],
  LOCALHOST: ['127.0.0.1'],
  'localtest.me': ['127.0.0.1'],
  '127.0.0.1.nip.example': ['127.0.0.1'],
  'metadata.internal': ['169.254.169.254'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'nat64.example': ['64:ff9b::7f00:1'],
  'sixtofour.example': ['2002:7f00:1::'],
  'linklocal.example': ['fe80::1%eth0'],
  'both.example': ['93.184.216.34', '127.0.0.1'],
  'also.example': ['127.0.0.1', '2606:2800:220:1::1'],
  'octal.example': ['0177.0.0.1'],
  'text.example': ['localhost'],
  'multicast.example': ['224.0.0.1'],
  'private.example': ['10.11.12.13'],
  'ula.example': ['fd12:3456::1'],
  'carrier.example': ['100.100.100.200'],
  'nothing.example': [],
  'zero.example': ['0.0.0.0'],
};

/** Written so that one reader of URLs sees another host than the next. */
const tricks = (port: number): readonly string[] => [
  `http://user@127.0.0.1:${port}/`,
  `https://user:password@example.com/`,
  `https://@127.0.0.1:${port}/`,
  `https://:@127.0.0.1:${port}/`,
  `https://example.com@127.0.0.1:${port}/`,
  `https://127.0.0.1:${port}@example.com/`,
  `https://example.com\\@127.0.0.1:${port}/`,
  `https:\\\\127.0.0.1:${port}/`,
  `https:/127.0.0.1:${port}/`,
  `https:127.0.0.1:${port}`,
  `https:///127.0.0.1:${port}/`,
  `https://127.0.0.1:${port}#@example.com/`,
  `https://example.com#@127.0.0.1:${port}/`,
  `https://127.0.0.1:${port}\t/`,
  `ht\ntps://127.0.0.1:${port}/`,
  ` https://127.0.0.1:${port}/`,
  `https://127.0.0.1:${port}/\r\nhost: example.com`,
  `https://127.0.0.1 :${port}/`,
  `https://127.0.0.1:${port}/ HTTP/1.1`,
  `https://①②⑦.⓪.⓪.①:${port}/`,
  `https://１２７.０.０.１:${port}/`,
  `https://127。0。0。1:${port}/`,
  `https://127｡0｡0｡1:${port}/`,
  `https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:${port}/`,
  `https://lоcalhost:${port}/`,
  `https://local\u00adhost:${port}/`,
  `https://local\u200bhost:${port}/`,
  `https://exa\u202emple.com:${port}/`,
  `https://ex%00ample.com:${port}/`,
  `https://[::1:${port}/`,
  `https://::1:${port}/`,
  `https://[127.0.0.1]:${port}/`,
  `https://[::1].example.com:${port}/`,
  'https://',
  'https://?',
  'https://.',
  'https://%',
  '',
  'example.com',
  '//example.com/',
  'file:///etc/shadow',
  'gopher://127.0.0.1:6379/_x',
  'ftp://127.0.0.1/',
  'unix:///run/pinfold/agent.sock',
  'http+unix://%2Frun%2Fpinfold%2Fagent.sock/v1/pins',
  'javascript:alert(1)',
  'data:text/plain,x',
  'ws://127.0.0.1/',
  'jar:https://127.0.0.1!/',
  'HTTP://127.0.0.1/',
  ...[0, 1, 7, 21, 22, 23, 25, 53, 110, 111, 143, 389, 445, 465, 587, 993, 995].map(
    (wellKnown) => `https://example.com:${wellKnown}/`,
  ),
  'https://example.com:65536/',
  'https://example.com:-1/',
  'https://example.com:443x/',
  `https://example.com/${'a'.repeat(3000)}`,
  'http://example.com/',
  'http://93.184.216.34/',
];

/** URLs that must not be connected to, all on the given port where they have a choice. */
export function hostileUrls(port: number): readonly string[] {
  const hosts = [...places, ...Object.keys(hostileNames)];
  return [
    ...hosts.flatMap((host) => [`https://${host}:${port}/`, `http://${host}:${port}/x?y`]),
    ...tricks(port),
  ];
}

/** A resolver in an attacker's hand. */
export async function resolveHostile(host: string): Promise<readonly string[]> {
  return hostileNames[host] ?? hostileNames[`${host}.`] ?? ['127.0.0.1'];
}
