// Packs the interface's description for the plug: plain JSON is what every client understands, and a chip has no room for
// it. The most frequent pair of neighbours becomes a new symbol, again and again (N. J. Larsson and A. Moffat, "Offline
// Dictionary-Based Compression", 1999). crates/plug/src/web/packed.rs unpacks it with some hundred bytes of memory.
//
//   length of the plain text (4 bytes, little-endian) | number of pairs (2 bytes, little-endian)
//   | the pairs, for the symbols from 0x80 on | the text
//
// A symbol takes 12 bits, so two of them lie in three bytes (the first in the lower bits); below 0x80 it is a character.

const FIRST_PAIR = 0x80;
const SYMBOLS = 1 << 12;
// How deep pairs of pairs may go: what waits while the plug unpacks has room for this many.
const DEEPEST = 40;
// A pair costs three bytes and saves one and a half each time.
const FEWEST = 3;

/** JSON without spaces, ASCII only, packed. */
export function pack(json) {
  const ascii = JSON.stringify(JSON.parse(json)).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  let text = Uint16Array.from(Buffer.from(ascii, "latin1"));
  const pairs = [];
  const depths = new Array(FIRST_PAIR).fill(0);
  const counts = new Uint32Array(SYMBOLS * SYMBOLS);
  while (FIRST_PAIR + pairs.length < SYMBOLS) {
    const pair = mostFrequentPair(text, depths, counts);
    if (!pair) break;
    text = replace(text, pair, FIRST_PAIR + pairs.length);
    depths.push(depth(pair, depths));
    pairs.push(pair);
  }
  const head = Buffer.alloc(6);
  head.writeUInt32LE(ascii.length);
  head.writeUInt16LE(pairs.length, 4);
  // An odd text is filled up with a symbol that the length cuts off.
  return Buffer.concat([head, twelveBits(pairs.flat()), twelveBits([...text, ...(text.length % 2 ? [0] : [])])]);
}

const depth = ([first, second], depths) => Math.max(depths[first], depths[second]) + 1;

/** Of several that are equally frequent the one that was so first. */
function mostFrequentPair(text, depths, counts) {
  let [best, most] = [undefined, FEWEST - 1];
  for (let at = 0; at + 1 < text.length; at += 1) {
    const [first, second] = [text[at], text[at + 1]];
    // Of three equal symbols only two make a pair.
    if (first === second && at > 0 && text[at - 1] === first && text[at + 2] !== first) continue;
    const count = (counts[first * SYMBOLS + second] += 1);
    if (count > most && depth([first, second], depths) <= DEEPEST) [best, most] = [[first, second], count];
  }
  for (let at = 0; at + 1 < text.length; at += 1) counts[text[at] * SYMBOLS + text[at + 1]] = 0;
  return best;
}

function replace(text, [first, second], symbol) {
  const shorter = new Uint16Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const found = text[at] === first && text[at + 1] === second;
    shorter[length] = found ? symbol : text[at];
    length += 1;
    if (found) at += 1;
  }
  return shorter.subarray(0, length);
}

function twelveBits(symbols) {
  const bytes = Buffer.alloc((symbols.length / 2) * 3);
  for (let pair = 0; 2 * pair < symbols.length; pair += 1) {
    bytes.writeUIntLE(symbols[2 * pair] | (symbols[2 * pair + 1] << 12), 3 * pair, 3);
  }
  return bytes;
}
