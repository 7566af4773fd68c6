import assert from 'node:assert/strict';
import { BlockList, isIP } from 'node:net';
import test from 'node:test';
import fc from 'fast-check';
import { isInRange, parseAddress, parseRange } from '../../src/model/webhook/address.ts';
import { parseRetryAfter, retryDelayMs } from '../../src/model/webhook/backoff.ts';
import { whyOutOfReach } from '../../src/model/webhook/reach.ts';
import { parseSecret, showSecret } from '../../src/model/webhook/secret.ts';
import { testSeed } from '../support/seed.ts';

const seed = testSeed();

/** Text of an address of either family, and texts that nearly are one. */
const addressText = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.stringMatching(/^[0-9a-f:.]{2,24}$/),
  fc.ipV4().map((text) => `::ffff:${text}`),
  fc.ipV4().map((text) => text.replace('.', '.0')),
);

test('an address is what Node takes for one, of the same family', () => {
  const judge = (text: string): void => assert.equal(parseAddress(text)?.family ?? 0, isIP(text), text);
  fc.assert(fc.property(addressText, judge), { seed, numRuns: 5000 });
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.1.1.1',
    '::1%lo',
    '1::2::3',
    ':::',
    '::1.2.3.4',
  ])
    assert.equal(parseAddress(text)?.family ?? 0, text.includes('%') ? 0 : isIP(text), text);
});

test('a range holds the addresses that Node says it holds', () => {
  const four = fc.tuple(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }));
  const six = fc.tuple(fc.ipV6(), fc.ipV6(), fc.integer({ min: 0, max: 128 }));
  const holds = ([base, text, bits]: [string, string, number]): void => {
    const address = parseAddress(base) ?? assert.fail();
    const width = address.family === 4 ? 32n : 128n;
    const value = (address.value >> (width - BigInt(bits))) << (width - BigInt(bits));
    const list = new BlockList();
    const family = address.family === 4 ? 'ipv4' : 'ipv6';
    list.addSubnet(base, bits, family);
    for (const each of [text, base]) {
      const one = parseAddress(each) ?? assert.fail();
      assert.equal(
        isInRange(one, { ...address, value, bits }),
        list.check(each, family),
        `${each} ${base}/${bits}`,
      );
    }
  };
  fc.assert(fc.property(fc.oneof(four, six), holds), { seed, numRuns: 3000 });
  assert.deepEqual(parseRange('10.0.0.0/8')?.bits, 8);
  assert.deepEqual(parseRange('::1')?.bits, 128);
  for (const text of ['10.0.0.1/8', '10.0.0.0/33', '::/129', '10/8', '10.0.0.0/', 'all', '10.0.0.0/08'])
    assert.equal(parseRange(text), undefined, text);
});

test('only addresses that everybody can route to are free, and only with https', () => {
  const none = { isEncrypted: true, allowed: [] };
  for (const text of ['8.8.8.8', '1.1.1.1', '100.63.255.255', '172.32.0.1', '2606:4700::1111', '2a00::1'])
    assert.equal(whyOutOfReach(text, none), undefined, text);
  const refused = `0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254
    169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1
    198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
    255.255.255.255 :: ::1 ::ffff:8.8.8.8 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1
    2001::1 2001:db8::1 2002:7f00:1:: 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1
    fec0::1 ff02::1 fe80::1%eth0 4000::1 localhost`;
  for (const text of refused.split(/\s+/)) assert.notEqual(whyOutOfReach(text, none), undefined, text);
  const allowed = ['10.0.0.0/8', 'fd00::/8'].flatMap((text) => parseRange(text) ?? []);
  assert.equal(whyOutOfReach('10.1.2.3', { isEncrypted: false, allowed }), undefined);
  assert.equal(whyOutOfReach('fd00::1', { isEncrypted: false, allowed }), undefined);
  assert.notEqual(whyOutOfReach('11.1.2.3', { isEncrypted: false, allowed }), undefined);
  assert.notEqual(whyOutOfReach('::ffff:10.1.2.3', { isEncrypted: true, allowed }), undefined);
});

test('pauses double from a second to five minutes, a random part of each between half and all', () => {
  const at = (failures: number, random: number) =>
    retryDelayMs({ failures, random, retryAfterMs: undefined });
  assert.deepEqual(
    [1, 2, 3, 9, 10, 1e9].map((failures) => at(failures, 0)),
    [500, 1000, 2000, 128e3, 150e3, 150e3],
  );
  assert.deepEqual(
    [1, 9, 1e9].map((failures) => Math.round(at(failures, 1))),
    [1000, 256e3, 300e3],
  );
  assert.equal(retryDelayMs({ failures: 9, random: 1, retryAfterMs: 1 }), 256e3);
  assert.equal(retryDelayMs({ failures: 1, random: 1, retryAfterMs: 1e12 }), 3600e3);
  assert.equal(parseRetryAfter('7', undefined), 7000);
  assert.equal(parseRetryAfter('Mon, 23 Nov 2026 10:00:00 GMT', undefined), undefined);
  assert.equal(parseRetryAfter('-1', undefined), undefined);
});

test('a secret is 24 to 64 bytes in base64 after whsec_, and is shown as it is read', () => {
  for (const length of [24, 25, 32, 63, 64]) {
    const text = showSecret(Buffer.alloc(length, 0xfb));
    assert.equal(showSecret(parseSecret(text) ?? assert.fail()), text);
  }
  const wrong = [23, 65].map((length) => showSecret(Buffer.alloc(length)));
  for (const text of [...wrong, 'whsec_', Buffer.alloc(32).toString('base64'), `whsec_${'!'.repeat(40)}`])
    assert.equal(parseSecret(text), undefined, text);
});
