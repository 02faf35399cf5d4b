# Sourced by the build scripts of the chips: `cargo_for TARGET ARGS...` runs cargo with rustup's target where it can be
# had, else with Debian's rustc and core built from its sources (packages rustc-web, cargo-web, rust-web-src), and says
# which. OSSP_TOOLCHAIN=debian asks for the second.

rustup_has() {
  rustup target list --installed 2>/dev/null | grep -qx "$1" || rustup target add "$1" >/dev/null 2>&1
}

# The linker inside the Rust toolchain, else Debian's.
rust_lld() {
  local lld
  lld=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld
  if [ -x "$lld" ]; then echo "$lld"; else command -v ld.lld; fi
}

cargo_for() {
  local target=$1 verb=$2 name
  shift 2
  name=${target//-/_}
  export "CARGO_TARGET_${name^^}_LINKER=$(rust_lld)"
  if [ "${OSSP_TOOLCHAIN:-}" != debian ] && rustup_has "$target"; then
    echo "with rustup's $target" >&2
    cargo "$verb" --locked --release --target "$target" "$@"
  else
    echo "with Debian's rustc and core built from its sources" >&2
    rustup toolchain list | grep -q '^debian' || rustup toolchain link debian /usr
    RUSTC_BOOTSTRAP=1 cargo +debian "$verb" --locked --release --target "$target" \
      -Z build-std=core,alloc -Z build-std-features=compiler-builtins-mem "$@"
  fi
}
