#!/usr/bin/env bash
# Builds for riscv32imc: with rustup's target where it can be had, else with Debian's rustc and core from its sources
# (packages rustc-web, cargo-web, rust-web-src). OSSP_TOOLCHAIN=debian asks for the second.
set -euo pipefail
cd "$(dirname "$0")"
target=riscv32imc-unknown-none-elf
lld=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld
[ -x "$lld" ] || lld=$(command -v ld.lld)
export CARGO_TARGET_RISCV32IMC_UNKNOWN_NONE_ELF_LINKER=$lld
# Not the target's own variable: what ../.cargo/config.toml says for the ESP32 would be added to it.
export RUSTFLAGS="-C linker-flavor=ld.lld"
rustup_has_target() {
  rustup target list --installed 2>/dev/null | grep -qx $target || rustup target add $target >/dev/null 2>&1
}
if [ "${OSSP_TOOLCHAIN:-}" != debian ] && rustup_has_target; then
  echo "with rustup's $target" >&2
  cargo build --locked --release --target $target "$@"
else
  echo "with Debian's rustc and core built from its sources" >&2
  rustup toolchain list | grep -q '^debian' || rustup toolchain link debian /usr
  RUSTC_BOOTSTRAP=1 cargo +debian build --locked --release --target $target \
    -Z build-std=core,alloc -Z build-std-features=compiler-builtins-mem "$@"
fi
