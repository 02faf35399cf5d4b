// Checks on the finished program that the sampling interrupt and the instant trip lie in RAM: follows every call and
// jump from the interrupt's entry and fails if one leads into flash, goes where nobody knows, or if an address of
// the flash is made on the way. While the flash is erased neither code nor constants in it can be read.
// What it cannot see: a pointer into flash that lies in RAM (so the path keeps none), and an address made by shifting.
// usage: node check-ram.mjs PROGRAM [ROOT...]
import { readElf } from "./elf.mjs";

const [program, ...named] = process.argv.slice(2);
const roots = named.length > 0 ? named : ["ossp_sampling_entry", "ossp_sampling_tick"];
// ESP32-C3 technical reference manual, "System and Memory": what the cache maps, and what is RAM.
const inFlash = (address) => (address >= 0x3c000000 && address < 0x3c800000) || (address >= 0x42000000 && address < 0x42800000);
const inRam = (address) => address >= 0x4037c000 && address < 0x403e0000;
const signed = (value, bits) => (value << (32 - bits)) >> (32 - bits);
const hex = (address) => `0x${(address >>> 0).toString(16)}`;

const { bytes, sections, symbols } = readElf(program);
const code = sections.filter((section) => section.executable && section.loaded);
const nameOf = new Map([...symbols].map(([name, address]) => [address, name]));

function fetch(address) {
  const section = code.find((section) => address >= section.address && address < section.address + section.size);
  if (!section) throw new Error(`no code at ${hex(address)}`);
  const at = section.offset + address - section.address;
  const half = bytes.readUInt16LE(at);
  return (half & 3) === 3 ? { word: bytes.readUInt32LE(at), length: 4 } : { word: half, length: 2 };
}

/** Where an instruction may lead, as far as control flow goes (RISC-V unprivileged specification, RV32I and C). */
function decode(address, { word, length }) {
  const bit = (from, count, to) => ((word >>> from) & ((1 << count) - 1)) << to;
  if (length === 2) {
    const [quadrant, kind] = [word & 3, word >>> 13];
    if (quadrant === 1 && (kind === 1 || kind === 5)) {
      const by = bit(12, 1, 11) | bit(11, 1, 4) | bit(9, 2, 8) | bit(8, 1, 10) | bit(7, 1, 6) | bit(6, 1, 7) | bit(3, 3, 1) | bit(2, 1, 5);
      return { targets: [address + signed(by, 12)], goesOn: kind === 1 };
    }
    if (quadrant === 1 && kind >= 6) {
      const by = bit(12, 1, 8) | bit(10, 2, 3) | bit(5, 2, 6) | bit(3, 2, 1) | bit(2, 1, 5);
      return { targets: [address + signed(by, 9)], goesOn: true };
    }
    if (quadrant === 1 && kind === 3 && ((word >>> 7) & 31) !== 2) return { made: signed(bit(12, 1, 17) | bit(2, 5, 12), 18), goesOn: true };
    if (quadrant === 2 && kind === 4 && ((word >>> 2) & 31) === 0 && ((word >>> 7) & 31) !== 0) {
      const returns = (word >>> 12) === 8 && ((word >>> 7) & 31) === 1;
      return { indirect: !returns, goesOn: false };
    }
    return { goesOn: true };
  }
  const rd = (word >>> 7) & 31;
  switch (word & 127) {
    case 0x6f: {
      const by = signed(bit(31, 1, 20) | bit(21, 10, 1) | bit(20, 1, 11) | bit(12, 8, 12), 21);
      return { targets: [address + by], goesOn: rd !== 0 };
    }
    case 0x63: {
      const by = signed(bit(31, 1, 12) | bit(25, 6, 5) | bit(8, 4, 1) | bit(7, 1, 11), 13);
      return { targets: [address + by], goesOn: true };
    }
    case 0x67: {
      const register = (word >>> 15) & 31;
      return { jump: { register, by: word >> 20 }, indirect: !(register === 1 && rd === 0), goesOn: rd !== 0 };
    }
    case 0x37: return { made: word & 0xfffff000, goesOn: true };
    case 0x17: return { made: (address + (word & 0xfffff000)) | 0, register: rd, goesOn: true };
    case 0x73: return { goesOn: word !== 0x30200073 };
    default: return { goesOn: true };
  }
}

const faults = [];
const seen = new Set();
const work = roots.map((name) => {
  if (!symbols.has(name)) throw new Error(`${program} has no ${name}`);
  return symbols.get(name);
});
while (work.length > 0) {
  let address = work.pop();
  for (let pair; !seen.has(address); ) {
    if (!inRam(address)) {
      faults.push(`${hex(address)} ${nameOf.get(address) ?? ""} is not in RAM`);
      break;
    }
    seen.add(address);
    const instruction = fetch(address);
    const step = decode(address, instruction);
    const far = pair && step.jump && step.jump.register === pair.register;
    if (far) work.push((pair.made + step.jump.by) | 0);
    else if (step.indirect) faults.push(`${hex(address)} jumps to where nobody knows`);
    else if (pair && inFlash(pair.made >>> 0)) faults.push(`${hex(address)} makes an address of the flash: ${hex(pair.made)}`);
    pair = step.register === undefined ? undefined : step;
    if (step.made !== undefined && !pair && inFlash(step.made >>> 0)) faults.push(`${hex(address)} makes an address of the flash: ${hex(step.made)}`);
    for (const target of step.targets ?? []) work.push(target);
    if (!step.goesOn) break;
    address += instruction.length;
  }
}
for (const fault of faults) console.error(`check-ram: ${fault}`);
const size = [...seen].reduce((sum, address) => sum + fetch(address).length, 0);
console.log(`sampling path: ${seen.size} instructions, ${size} bytes, ${faults.length === 0 ? "all in RAM" : `${faults.length} faults`}`);
process.exit(faults.length === 0 ? 0 : 1);
