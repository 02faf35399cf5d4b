// Reads what the checks need of a 32-bit little-endian ELF file: sections and symbols (System V ABI, "Object Files").
import { readFileSync } from "node:fs";

const ALLOCATED = 2;
const EXECUTABLE = 4;
const PROGRAM_BITS = 1;
const SYMBOL_TABLE = 2;
const SYMBOL_SIZE = 16;

export function readElf(path) {
  const bytes = readFileSync(path);
  const u32 = (at) => bytes.readUInt32LE(at);
  if (bytes.length < 52 || u32(0) !== 0x464c457f) throw new Error(`${path} is not an ELF file`);
  const text = (at) => bytes.toString("latin1", at, bytes.indexOf(0, at));
  const [table, size, count, names] = [u32(32), bytes.readUInt16LE(46), bytes.readUInt16LE(48), bytes.readUInt16LE(50)];
  const raw = Array.from({ length: count }, (_, n) => {
    const at = table + n * size;
    return { name: u32(at), type: u32(at + 4), flags: u32(at + 8), address: u32(at + 12), offset: u32(at + 16), size: u32(at + 20), link: u32(at + 24) };
  });
  const sections = raw.map((section) => ({
    ...section,
    name: text(raw[names].offset + section.name),
    allocated: (section.flags & ALLOCATED) !== 0,
    executable: (section.flags & EXECUTABLE) !== 0,
    loaded: section.type === PROGRAM_BITS,
  }));
  const symbols = new Map();
  const sizes = new Map();
  for (const { offset, size: length, link } of raw.filter((section) => section.type === SYMBOL_TABLE)) {
    for (let at = offset; at < offset + length; at += SYMBOL_SIZE) {
      const name = text(raw[link].offset + u32(at));
      symbols.set(name, u32(at + 4));
      sizes.set(name, u32(at + 8));
    }
  }
  return { bytes, sections, symbols, sizes };
}
