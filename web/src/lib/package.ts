// What a file is, from its first bytes: a package with its manifest, or a bare image of an ESP chip.

/** So many of the first bytes are enough. */
export const HEAD_BYTES = 4096;
const MAGIC = "OSSP1";
/** Where the descriptor of the program is, in its first segment, and what it begins with. */
const DESCRIPTOR = 32;
const DESCRIPTOR_MAGIC = 0xabcd5432;
/** As Espressif numbers them; the last is a program on a computer. */
const CHIPS: Record<number, string> = { 0: "esp32", 5: "esp32c3", 9: "esp32s3", 13: "esp32c6", 0xfffe: "pc" };

export interface FileHead {
  isPackage: boolean;
  version: string;
  project: string;
  chip: string;
  board?: string;
  commit?: string;
  rustc?: string;
  /** Of the bare image. */
  sha256?: string;
  /** The keys that signed it, or are said to have. */
  keys: string[];
}

function imageHead(bytes: Uint8Array): FileHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isImage = bytes[0] === 0xe9 && bytes.length >= DESCRIPTOR + 80;
  if (!isImage || view.getUint32(DESCRIPTOR, true) !== DESCRIPTOR_MAGIC)
    throw new Error("This file is neither an OSSP package nor an image for such a plug.");
  const text = (at: number): string => {
    const field = bytes.subarray(DESCRIPTOR + at, DESCRIPTOR + at + 32);
    const end = field.indexOf(0);
    return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
  };
  const chip = CHIPS[view.getUint16(12, true)] ?? "another chip";
  return { isPackage: false, version: text(16), project: text(48), chip, keys: [] };
}

/** Reads the head of a file; throws a sentence if it is nothing that could be installed. */
export function readHead(bytes: Uint8Array): FileHead {
  const start = new TextDecoder("latin1").decode(bytes);
  if (!start.startsWith(`${MAGIC}\n`)) return imageHead(bytes);
  const lines = (start.split("\n\n", 1)[0] ?? "").split("\n");
  try {
    const manifest = JSON.parse(lines[1] ?? "") as Omit<FileHead, "keys">;
    return { ...manifest, isPackage: true, keys: lines.slice(2).map((line) => line.slice(0, 64)) };
  } catch {
    throw new Error("This package is damaged: get the file once more.");
  }
}

/** Below 0: `a` is older than `b`; 0: the same, or one of them is no version. */
export function compareVersions(a: string, b: string): number {
  const parse = (text: string): RegExpMatchArray | null => text.match(/^v?(\d+)\.(\d+)\.(\d+)(?:-([^+]*))?/);
  const [left, right] = [parse(a), parse(b)];
  if (!left || !right) return 0;
  for (const n of [1, 2, 3]) {
    const differs = Number(left[n]) - Number(right[n]);
    if (differs !== 0) return differs;
  }
  // One before a release is older than the release.
  const [before, after] = [left[4], right[4]];
  if (before === after) return 0;
  if (before === undefined || after === undefined) return before === undefined ? 1 : -1;
  return before.localeCompare(after, "en", { numeric: true });
}
