# Sourced by the build scripts of the chips: `cargo_for TARGET ARGS...` runs cargo with rustup's compiler and core built from
# its sources (component rust-src) where they can be had, else with Debian's rustc and core built from its sources (packages
# rustc-web, cargo-web, rust-web-src), else with rustup's ready-made core, which makes larger images, and says which.
# OSSP_TOOLCHAIN=debian asks for the second, OSSP_TOOLCHAIN=prebuilt for the last.

rustup_has() {
  command -v rustup >/dev/null || return 1
  rustup target list --installed 2>/dev/null | grep -qx "$1" || rustup target add "$1" >/dev/null 2>&1
}

rust_src_has() {
  command -v rustup >/dev/null || return 1
  [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ] || rustup component add rust-src >/dev/null 2>&1
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

# Options that cut every path to what follows the project's, a package's or the library's folder, as a list of TOML: an image
# must not tell where it was built, nor depend on it. $1 is the compiler, $2 the triple.
without_paths() {
  local sysroot library project registry
  sysroot=$("$1" --print sysroot)
  library=$(readlink -f "$sysroot/lib/rustlib/src/rust/library" || true)
  project=$(cd "$TOOLCHAIN_DIR/.." && pwd)
  printf '"--remap-path-prefix=%s=",' "$project/" "$(realpath -m "${CARGO_TARGET_DIR:-$PWD/target}")/$2/release/build/"
  for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
    printf '"--remap-path-prefix=%s=",' "$registry"
  done
  printf '"--remap-path-prefix=%s/=",' "$sysroot/lib/rustlib/src/rust/library" "${library:-/nowhere}" \
    "/rustc/$("$1" -vV | sed -n 's/^commit-hash: //p')/library"
}

# Where this file lies.
TOOLCHAIN_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Core built from its sources, for size, and `{:?}` without contents (docs/decisions/0019-another-table.md): unstable, so the
# stable compiler is told to allow it.
FROM_SOURCE=(-Z build-std=core,alloc -Z "build-std-features=compiler-builtins-mem,optimize_for_size")
SHALLOW='"-Zfmt-debug=shallow"'

# The compiler that cargo_for used last.
compiler() { "${COMPILER:-rustc}" --version | sed 's/^rustc //'; }

cargo_for() {
  local target=$1 verb=$2 name lld
  shift 2
  name=${target//-/_}
  lld=$(rust_lld) || return 1
  export "CARGO_TARGET_${name^^}_LINKER=$lld"
  # What the image says of its time of building is its commit's.
  [ -n "${SOURCE_DATE_EPOCH:-}" ] || SOURCE_DATE_EPOCH=$(git -C "$TOOLCHAIN_DIR" log -1 --format=%ct 2>/dev/null || echo 0)
  export SOURCE_DATE_EPOCH
  OSSP_PROJECT=$(cd "$TOOLCHAIN_DIR/.." && pwd) RUSTC_WRAPPER=$TOOLCHAIN_DIR/rustc.sh
  export OSSP_PROJECT RUSTC_WRAPPER
  # Where the packages lie is known once they are there.
  cargo fetch --locked --target "$target" >&2 || return 1
  if [ -z "${OSSP_TOOLCHAIN:-}" ] && rust_src_has; then
    echo "with rustup's rustc and core built from its sources" >&2
    RUSTC_BOOTSTRAP=1 cargo "$verb" --locked --release --target "$target" "${FROM_SOURCE[@]}" \
      --config "target.$target.rustflags=[$(without_paths rustc "$target")$SHALLOW]" "$@"
  elif [ "${OSSP_TOOLCHAIN:-}" != prebuilt ] && debian_has; then
    COMPILER=/usr/bin/rustc
    echo "with Debian's rustc and core built from its sources" >&2
    RUSTC_BOOTSTRAP=1 cargo +debian "$verb" --locked --release --target "$target" "${FROM_SOURCE[@]}" \
      --config "target.$target.rustflags=[$(without_paths /usr/bin/rustc "$target")$SHALLOW]" "$@"
  elif rustup_has "$target"; then
    echo "with rustup's ready-made $target: the image is larger than with its component rust-src" >&2
    RUSTC_BOOTSTRAP=1 cargo "$verb" --locked --release --target "$target" \
      --config "target.$target.rustflags=[$(without_paths rustc "$target")$SHALLOW]" "$@"
  else
    echo "no compiler for $target: rustup target add $target, or on Debian: apt install rustc-web cargo-web rust-web-src" >&2
    return 1
  fi
}
