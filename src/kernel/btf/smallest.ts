/** A BTF object with the one type every BTF must have, `int`, for where the kernel wants any at all. */
export const smallestBtf: Buffer = Buffer.from(
  '9feb010018000000' +
    '0000000010000000' +
    '1000000005000000' +
    '0100000000000001' +
    '0400000020000000' +
    '00696e7400',
  'hex',
);
