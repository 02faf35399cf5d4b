// SHA-256 (FIPS 180-4) and HMAC (RFC 2104): browsers keep theirs from pages that came over plain HTTP.

/** The first 32 bits of the fractional part. */
const fraction = (value: number): number => ((value % 1) * 2 ** 32) | 0;

const primes: number[] = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
const ROUNDS = primes.map((prime) => fraction(Math.cbrt(prime)));
const START = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

const turn = (x: number, by: number): number => (x >>> by) | (x << (32 - by));

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export function sha256(message: Uint8Array): Uint8Array {
  const padded = new DataView(new ArrayBuffer((((message.length + 8) >> 6) + 1) << 6));
  new Uint8Array(padded.buffer).set(message);
  padded.setUint8(message.length, 0x80);
  padded.setUint32(padded.byteLength - 4, message.length << 3);
  const sum = Int32Array.from(START);
  const words = new Int32Array(64);
  const at = (list: ArrayLike<number>, n: number): number => list[n] as number;
  for (let block = 0; block < padded.byteLength; block += 64) {
    let [a, b, c, d, e, f, g, h] = sum as unknown as [number, number, number, number, number, number, number, number];
    for (let n = 0; n < 64; n++) {
      if (n < 16) words[n] = padded.getInt32(block + 4 * n);
      else {
        const x = at(words, n - 15);
        const y = at(words, n - 2);
        words[n] =
          at(words, n - 16) +
          at(words, n - 7) +
          (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) +
          (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
      }
      const one = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + at(ROUNDS, n) + at(words, n);
      const two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    for (const [n, value] of [a, b, c, d, e, f, g, h].entries()) sum[n] = at(sum, n) + value;
  }
  const result = new DataView(new ArrayBuffer(32));
  for (const [n, word] of sum.entries()) result.setInt32(4 * n, word);
  return new Uint8Array(result.buffer);
}

export function hmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  const block = new Uint8Array(64);
  block.set(key.length > 64 ? sha256(key) : key);
  const padded = (pad: number, rest: Uint8Array): Uint8Array =>
    sha256(Uint8Array.of(...block.map((byte) => byte ^ pad), ...rest));
  return padded(0x5c, padded(0x36, message));
}

export const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
