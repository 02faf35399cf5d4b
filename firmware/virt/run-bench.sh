#!/usr/bin/env bash
# Prints instructions a sample pair, the same numbers on every machine, and holds them against instructions.txt.
set -euo pipefail
cd "$(dirname "$0")"
./build.sh --bin bench >&2
failed=0
printed=$(qemu-system-riscv32 -M virt -cpu rv32,a=off,f=off,d=off,h=off,s=off,mmu=off,pmp=off -bios none -nographic -m 32M \
  -icount shift=0 -kernel "${CARGO_TARGET_DIR:-target}/riscv32imc-unknown-none-elf/release/bench" | tr -d '\r') || failed=1
echo "$printed"
awk -F ': ' '
  FNR == NR { if (!/^#/) { split($0, part, " "); limit[substr($0, length(part[1]) + 2)] = part[1] } next }
  $1 in limit && $2 ~ /instructions a pair/ {
    seen[$1] = 1
    split($2, part, " ")
    change = 100 * (part[1] - limit[$1]) / limit[$1]
    if (change > 2) { printf "%s: %d instead of %d, %.1f %% more\n", $1, part[1], limit[$1], change; failed = 1 }
    if (change < -1) printf "%s: %d instead of %d: write that down in instructions.txt\n", $1, part[1], limit[$1]
  }
  END {
    for (name in limit) if (!(name in seen)) { printf "%s: not measured\n", name; failed = 1 }
    exit failed
  }' instructions.txt <(echo "$printed") >&2
exit "$failed"
