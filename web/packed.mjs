// Packs the interface's description for the plug: plain JSON is what every client understands, and a chip has no room for
// it. Byte pair encoding (P. Gage, "A New Algorithm for Data Compression", 1994): the most frequent pair of bytes becomes a
// new byte, again and again. crates/plug/src/web/packed.rs unpacks it with 32 bytes of memory.
//
//   length of the plain text (4 bytes, little-endian) | 128 pairs, for the bytes from 0x80 on | the text

const FIRST_CODE = 0x80;
const CODES = 128;

/** JSON without spaces, ASCII only, packed. */
export function pack(json) {
  const ascii = JSON.stringify(JSON.parse(json)).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  let text = [...Buffer.from(ascii, "latin1")];
  const pairs = Buffer.alloc(2 * CODES);
  for (let code = 0; code < CODES; code += 1) {
    const [first, second] = mostFrequentPair(text);
    pairs.set([first, second], 2 * code);
    const shorter = [];
    for (let at = 0; at < text.length; at += 1) {
      if (text[at] === first && text[at + 1] === second) {
        shorter.push(FIRST_CODE + code);
        at += 1;
      } else shorter.push(text[at]);
    }
    text = shorter;
  }
  const length = Buffer.alloc(4);
  length.writeUInt32LE(ascii.length);
  return Buffer.concat([length, pairs, Buffer.from(text)]);
}

/** Of several that are equally frequent the one with the lowest bytes. */
function mostFrequentPair(text) {
  const counts = new Uint32Array(1 << 16);
  for (let at = 0; at + 1 < text.length; at += 1) counts[(text[at] << 8) | text[at + 1]] += 1;
  const most = counts.reduce((best, count, pair) => (count > counts[best] ? pair : best), 0);
  return [most >> 8, most & 0xff];
}
