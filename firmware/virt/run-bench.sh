#!/usr/bin/env bash
# Prints instructions a sample pair; the same numbers on every machine.
set -euo pipefail
cd "$(dirname "$0")"
./build.sh --bin bench >&2
exec qemu-system-riscv32 -M virt -cpu rv32,a=off,f=off,d=off,h=off,s=off,mmu=off,pmp=off -bios none -nographic -m 32M \
  -icount shift=0 -kernel "${CARGO_TARGET_DIR:-target}/riscv32imc-unknown-none-elf/release/bench"
