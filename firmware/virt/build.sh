#!/usr/bin/env bash
# Builds for riscv32imc without an operating system: ../toolchain.sh chooses the compiler.
set -euo pipefail
cd "$(dirname "$0")"
. ../toolchain.sh
# Not the target's own variable: what ../.cargo/config.toml says for the ESP32 would be added to it.
export RUSTFLAGS="-C linker-flavor=ld.lld -C target-feature=+relax,+save-restore"
cargo_for riscv32imc-unknown-none-elf build "$@"
