// Holds the firmware for the ESP32-C3 to its budgets: prints what it takes of flash and RAM, and fails when a budget
// is broken or when a number grew against the committed ones, with the difference.
// usage: node size.mjs PROGRAM APPLICATION_IMAGE [--write]
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readElf } from "./elf.mjs";

const COMMITTED = join(dirname(fileURLToPath(import.meta.url)), "size.txt");
// An application slot of partitions.csv.
const SLOT = 0x150000;
// esp-hal 1.2's memory map of the ESP32-C3: RAM of the application, and what the bootloader leaves behind.
const RAM = 313 * 1024;
const RECLAIMED = 0x3fcde710 - (0x3fc80000 + RAM);
// What must stay free with Wi-Fi running: the ledger's 17 KB after a week of use, 7 KB while an image is uploaded, and 8 KB for
// what is to come.
const FREE = 32 * 1024;
// What must stay free of the main stack: the sum above counts free memory, but what is free in the heap is no stack, and a
// stack that runs over spoils statics before anybody sees it.
const STACK_FREE = 2 * 1024;
// A different compiler makes a slightly different program: so much is not growth.
const TOLERANCE = 0.02;

const [program, image, write] = process.argv.slice(2);
const { sections, sizes, symbols } = readElf(program);
const size = (...names) => names.reduce((sum, name) => sum + (sections.find((section) => section.name === name)?.size ?? 0), 0);
const committed = Object.fromEntries(
  readFileSync(COMMITTED, "utf8").split("\n").filter((line) => /^\w/.test(line)).map((line) => line.split(/\s+/)).map(([name, value]) => [name, Number(value)]),
);
// The heap's arena is a static of this program; the rest of the heap is what the bootloader leaves.
const arena = sizes.get("OSSP_HEAP");
const measured = {
  application_image: statSync(image).size,
  code_in_ram: size(".trap", ".rwtext", ".rwtext.wifi"),
  static_data: size(".data", ".data.wifi", ".bss", ".noinit") - arena,
};
// Measured while it runs (docs/boards.md, "Memory"): they are not in the program.
const running = { heap_in_use: committed.heap_in_use, stack_in_use: committed.stack_in_use };
const taken = measured.code_in_ram + measured.static_data + running.heap_in_use + running.stack_in_use;
const free = RAM + RECLAIMED - taken;

// The stack is what neither statics nor the heap's arena take; esp-hal's guard lies at its end.
const stack = symbols.get("_stack_start_cpu0") - symbols.get("_stack_end_cpu0") - 128;

const line = (name, value, note = "") => console.log(`${name.padEnd(28)} ${value.toLocaleString("en").padStart(9)} ${note}`);
line("application image", measured.application_image, `of ${SLOT.toLocaleString("en")}: ${((100 * measured.application_image) / SLOT).toFixed(1)} %`);
line("RAM", RAM + RECLAIMED, "for the application, with what the bootloader leaves");
line("- code in RAM", measured.code_in_ram, "sampling, radio, start-up");
line("- static data", measured.static_data, "without the heap's arenas");
line("- heap in use", running.heap_in_use, "radio and web at the most, as measured");
line("- stack in use", running.stack_in_use, "main stack at the most, as measured");
line("= free with Wi-Fi running", free, `(at least ${FREE.toLocaleString("en")})`);
line("main stack", stack, `(at least ${(running.stack_in_use + STACK_FREE).toLocaleString("en")})`);

const faults = [];
if (measured.application_image > SLOT) faults.push(`the application image is ${measured.application_image - SLOT} bytes too large for its slot`);
if (!(stack >= running.stack_in_use + STACK_FREE)) {
  faults.push(`the main stack has ${stack} bytes, and ${running.stack_in_use} were used: ARENA in src/memory.rs leaves it too little`);
}
if (free < FREE) faults.push(`${FREE - free} bytes of RAM too few stay free`);
// Growth is CI's business: somebody else's newer compiler makes a good image all the same.
for (const [name, value] of process.env.OSSP_CHECK_SIZE ? Object.entries(measured) : []) {
  const growth = value - committed[name];
  if (growth > committed[name] * TOLERANCE) faults.push(`${name} grew by ${growth} bytes, from ${committed[name]} to ${value}: see size.txt`);
}
if (write === "--write") {
  const text = readFileSync(COMMITTED, "utf8");
  writeFileSync(COMMITTED, Object.entries(measured).reduce((text, [name, value]) => text.replace(new RegExp(`^${name} .*$`, "m"), `${name} ${value}`), text));
} else {
  for (const fault of faults) console.error(`size: ${fault}`);
  process.exit(faults.length === 0 ? 0 : 1);
}
