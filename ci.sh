#!/usr/bin/env bash
# Everything that has to hold, in steps that anybody can run: `./ci.sh` for all of the short ones, `./ci.sh VERB` for one.
set -euo pipefail
cd "$(dirname "$0")"

verbs="format lint test doc no_std virt web browser fuzz"

usage() {
  cat <<TEXT
usage: ./ci.sh [VERB...]
  format   sources are formatted
  lint     clippy without a warning
  test     cargo test --workspace
  doc      rustdoc without a warning
  no_std   metering and plug compile for riscv32imc-unknown-none-elf
  virt     the plug as a riscv32 program in QEMU, driven from outside, and its instructions a sample pair
  web      the page's types, format and unit tests; the committed output is current
  browser  the page in Debian's Chromium, driven against the real program
  fuzz     every fuzz target for FUZZ_SECONDS (20)
  bench    pairs a second through the meter (not part of the default)
  install  what the other verbs need and a bare Debian lacks (apt, npm, cargo; not part of the default)
  long     what takes longer: five minutes in QEMU, fuzzing for an hour each
Without a verb: $verbs
TEXT
}

say() { printf '\n== %s\n' "$*"; }

format() { cargo fmt --all --check; }

lint() { cargo clippy --workspace --all-targets --locked -- -D warnings; }

test_() { cargo test --workspace --locked; }

doc() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked; }

# A toolchain that can build core for the chip: rustup's target where it can be had, else Debian's rustc with its
# sources (packages rustc-web, cargo-web, rust-web-src).
no_std() {
  local target=riscv32imc-unknown-none-elf
  if rustup target list --installed 2>/dev/null | grep -qx "$target" || rustup target add "$target" >/dev/null 2>&1; then
    echo "with rustup's $target"
    cargo check --locked -p metering -p plug --target "$target"
  else
    echo "with Debian's rustc and core built from its sources"
    rustup toolchain list | grep -q '^debian' || rustup toolchain link debian /usr
    RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=target/no_std cargo +debian check --locked -p metering -p plug \
      -Z build-std=core,alloc --target "$target"
  fi
}

# OSSP_VIRT_SECONDS is how long it is used (60); OSSP_TOOLCHAIN=debian forces Debian's compiler.
virt() {
  (cd firmware/shared && cargo fmt --check && cargo clippy --locked --all-targets -- -D warnings && cargo test --locked)
  (cd firmware/virt && cargo fmt --check && ./build.sh)
  cargo build --release --locked
  node --test --test-reporter=tap firmware/virt/test/virt.mjs
  firmware/virt/run-bench.sh
}

web() {
  (cd web && npm ci --no-audit --no-fund && npm test)
}

browser() {
  cargo build --release --locked
  (cd web && { [ -d node_modules ] || npm ci --no-audit --no-fund; } && npm run test:browser)
}

# Sanitizers are a nightly feature; where there is no nightly compiler the stable one is told to allow it.
cargo_fuzz() {
  if rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
    cargo +nightly fuzz "$@"
  else
    RUSTC_BOOTSTRAP=1 cargo fuzz "$@"
  fi
}

fuzz() {
  local seconds=${FUZZ_SECONDS:-20} target
  for target in $(cd fuzz && cargo_fuzz list); do
    say "fuzz $target for $seconds s"
    mkdir -p "fuzz/corpus/$target"
    local seeds=()
    [ -d "fuzz/seeds/$target" ] && seeds=("fuzz/seeds/$target")
    cargo_fuzz run "$target" "fuzz/corpus/$target" "${seeds[@]}" -- \
      -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -print_final_stats=1
  done
}

bench() { cargo bench -p metering --locked; }

install() {
  if command -v apt-get >/dev/null; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
      chromium fonts-dejavu-core rustc-web cargo-web rust-web-src clang qemu-system-misc
  fi
  command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
}

long() {
  OSSP_VIRT_SECONDS=300 virt
  FUZZ_SECONDS=3600 fuzz
}

[ $# -gt 0 ] || set -- $verbs
for verb in "$@"; do
  case $verb in
    -h | --help | help) usage ;;
    test) say test && test_ ;;
    format | lint | doc | no_std | virt | web | browser | fuzz | bench | install | long) say "$verb" && $verb ;;
    *) usage >&2 && exit 2 ;;
  esac
done
