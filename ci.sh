#!/usr/bin/env bash
# Everything that has to hold, in steps that anybody can run: `./ci.sh` for all of the short ones, `./ci.sh VERB` for one.
set -euo pipefail
cd "$(dirname "$0")"

verbs="format lint test doc no_std firmware reproducible virt web browser fuzz"

usage() {
  cat <<TEXT
usage: ./ci.sh [VERB...]
  format   sources are formatted
  lint     clippy without a warning
  test     cargo test --workspace; OSSP_REQUIRE_NETWORKS=0 leaves out the tests in networks of their own where their tools
           (see install) or unshare are missing; without it that is a failure
  doc      rustdoc without a warning
  no_std   metering and plug compile for riscv32imc-unknown-none-elf
  firmware the images for ESP32-C3 and ESP32-C6 in firmware/images, their sizes, the sampling path in RAM
  reproducible the committed ESP32-C3 image, built twice in two folders, has the same bytes
  virt     the plug as a riscv32 program in QEMU, driven from outside, and its instructions a sample pair
  web      the page's types, format and unit tests; the committed output is current
  browser  the page in Debian's Chromium, driven against the real program
  fuzz     every fuzz target for FUZZ_SECONDS (20)
  bench    pairs a second through the meter (not part of the default)
  install  what the other verbs need and a bare Debian lacks (apt, npm, cargo; not part of the default)
  long     what takes longer: 100 000 power cuts, 100 kills, more random cases, five minutes in QEMU, fuzzing for an hour each
Without a verb: $verbs
TEXT
}

say() { printf '\n== %s\n' "$*"; }

format() { cargo fmt --all --check; }

lint() { cargo clippy --workspace --all-targets --locked -- -D warnings; }

test_() {
  if [ "${OSSP_REQUIRE_NETWORKS:-1}" = 0 ]; then
    env -u OSSP_REQUIRE_NETWORKS cargo test --workspace --locked
  else
    OSSP_REQUIRE_NETWORKS=1 cargo test --workspace --locked
  fi
}

doc() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked; }

# firmware/toolchain.sh chooses the compiler for the chips here and below; OSSP_TOOLCHAIN=debian forces Debian's.
no_std() {
  (. firmware/toolchain.sh && cargo_for riscv32imc-unknown-none-elf check -p metering -p plug)
}

# The images for the chips, with their sizes against firmware/size.txt, and the sampling path in RAM.
firmware() {
  (cd firmware && cargo fmt --check)
  OSSP_CHECK_SIZE=1 firmware/build.sh
  # Debian's compiler comes without clippy.
  [ "${OSSP_TOOLCHAIN:-}" = debian ] || ! (. firmware/toolchain.sh && rustup_has riscv32imc-unknown-none-elf) ||
    (cd firmware && cargo clippy --locked --release --target riscv32imc-unknown-none-elf -- -D warnings)
}

reproducible() { firmware/reproducible.sh; }

# OSSP_VIRT_SECONDS is how long it is used (60).
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
  (cd web && { [ -d node_modules ] || npm ci --no-audit --no-fund; } && npm run test:browser &&
    npm run test:step3 && npm run test:step4 && npm run test:step5 && npm run test:step6)
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
  cargo_fuzz build
  for target in $(cd fuzz && cargo_fuzz list); do
    say "fuzz $target for $seconds s"
    mkdir -p "fuzz/corpus/$target"
    local seeds=()
    [ -d "fuzz/seeds/$target" ] && seeds=("fuzz/seeds/$target")
    cargo_fuzz run "$target" "fuzz/corpus/$target" "${seeds[@]}" -- \
      -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -print_final_stats=1
  done
}

# `--test NAME` for each file of a crate's tests that is called so.
test_files() {
  local file
  for file in "$1"/tests/$2.rs; do
    printf -- '--test %s ' "$(basename "$file" .rs)"
  done
}

bench() { cargo bench -p metering --locked; }

install() {
  if command -v apt-get >/dev/null; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
      chromium curl iproute2 udhcpc isc-dhcp-client bind9-dnsutils fonts-dejavu-core rustc-web cargo-web rust-web-src \
      clang python3-requests python3-zeroconf qemu-system-misc
  fi
  command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
  command -v espflash >/dev/null || cargo install espflash --locked
}

# Each of the three stores' power cuts takes OSSP_POWER_CUTS (600 to 700 by default, 2,000 together): 105 000 here.
long() {
  OSSP_POWER_CUTS=35000 cargo test --release --locked -p ossp $(test_files crates/ossp 'power_cuts_*')
  OSSP_KILLS=100 cargo test --release --locked -p ossp --test kill
  PROPTEST_CASES=20000 cargo test --release --locked -p plug $(test_files crates/plug '*_properties')
  OSSP_VIRT_SECONDS=300 virt
  FUZZ_SECONDS=3600 fuzz
}

[ $# -gt 0 ] || set -- $verbs
for verb in "$@"; do
  case $verb in
    -h | --help | help) usage ;;
    test) say test && test_ ;;
    format | lint | doc | no_std | firmware | reproducible | virt | web | browser | fuzz | bench | install | long) say "$verb" && $verb ;;
    *) usage >&2 && exit 2 ;;
  esac
done
