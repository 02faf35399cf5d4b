# Sourced by the build scripts of the chips: `cargo_for TARGET ARGS...` runs cargo with rustup's target where it can be
# had, else with Debian's rustc and core built from its sources (packages rustc-web, cargo-web, rust-web-src), and says
# which. OSSP_TOOLCHAIN=debian asks for the second.

rustup_has() {
  command -v rustup >/dev/null || return 1
  rustup target list --installed 2>/dev/null | grep -qx "$1" || rustup target add "$1" >/dev/null 2>&1
}

# Debian's compiler with the sources of core, made known to rustup as "debian".
debian_has() {
  [ -x /usr/bin/cargo ] && [ -d /usr/lib/rustlib/src/rust/library ] && command -v rustup >/dev/null || return 1
  rustup toolchain list | grep -q '^debian' || rustup toolchain link debian /usr
}

# The linker inside the Rust toolchain, else Debian's.
rust_lld() {
  local lld
  lld=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld
  if [ -x "$lld" ]; then
    echo "$lld"
  else
    command -v ld.lld || { echo "no linker: neither rust-lld in the Rust toolchain nor ld.lld (Debian: lld)" >&2 && return 1; }
  fi
}

cargo_for() {
  local target=$1 verb=$2 name lld
  shift 2
  name=${target//-/_}
  lld=$(rust_lld) || return 1
  export "CARGO_TARGET_${name^^}_LINKER=$lld"
  if [ "${OSSP_TOOLCHAIN:-}" != debian ] && rustup_has "$target"; then
    echo "with rustup's $target" >&2
    cargo "$verb" --locked --release --target "$target" "$@"
  elif debian_has; then
    echo "with Debian's rustc and core built from its sources" >&2
    RUSTC_BOOTSTRAP=1 cargo +debian "$verb" --locked --release --target "$target" \
      -Z build-std=core,alloc -Z build-std-features=compiler-builtins-mem "$@"
  else
    echo "no compiler for $target: rustup target add $target, or on Debian: apt install rustc-web cargo-web rust-web-src" >&2
    return 1
  fi
}
