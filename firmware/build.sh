#!/usr/bin/env bash
# Builds the firmware for the chips that need no toolchain of their own, checks it, and leaves the flashable images in
# images/. OSSP_BOARD, OSSP_WIFI_SSID and others (docs/boards.md) give a build its board and defaults.
# usage: build.sh [CHIP...] (esp32c3 esp32c6)
set -euo pipefail
cd "$(dirname "$0")"
. ./toolchain.sh
[ $# -gt 0 ] || set -- esp32c3 esp32c6
command -v espflash >/dev/null || { echo "espflash is missing: cargo install espflash --locked" >&2; exit 1; }
command -v node >/dev/null || { echo "Node 20 is missing: it checks the finished program (Debian: nodejs)" >&2; exit 1; }
OSSP_ESPFLASH=$(espflash --version | sed 's/^espflash //')
export OSSP_ESPFLASH
mkdir -p images

# The application alone (what an update over the air sends), and all of the flash (what a cable writes).
images() {
  local chip=$1 program=$2 flash=4mb table=partitions.csv
  # Its radio's library is larger; the board has 8 MB.
  [ "$chip" != esp32c6 ] || { flash=8mb && table=partitions-8mb.csv; }
  for kind in application merged; do
    local options=()
    [ $kind = merged ] && options=(--merge --skip-padding)
    espflash save-image --skip-update-check --chip "$chip" --flash-size "$flash" --partition-table "$table" \
      "${options[@]}" "$program" "images/ossp-$chip-$kind.bin" >/dev/null
  done
}

# Nobody else can build this image if it holds the name of a folder of this machine.
no_places() {
  local place
  for place in "$HOME/" "$(cd .. && pwd)/" "$(realpath "${CARGO_TARGET_DIR:-target}")/"; do
    ! grep -aqF "$place" "$1" || { echo "$1 holds $place" >&2; exit 1; }
  done
}

# What a build takes without OSSP_BOARD (src/boards/mod.rs).
first_board() {
  case $1 in
    esp32c3) echo ossp-devkit-c3 ;;
    esp32c6) echo devkit-c6 ;;
  esac
}

# Written over a cable it must start slot 0 whatever was chosen before: the way out of an update that killed a plug.
no_record() {
  local at=$((0x9000)) end=$((0x10000))
  cmp -s <(tail -c +$((at + 1)) "$1" | head -c $((end - at))) <(head -c $((end - at)) /dev/zero | tr '\0' '\377') ||
    { echo "$1 is not blank where the record of the slots lies (0x9000 to 0xffff)" >&2; exit 1; }
}

for chip; do
  case $chip in
    esp32c3) target=riscv32imc-unknown-none-elf ;;
    esp32c6) target=riscv32imac-unknown-none-elf ;;
    *) echo "$chip needs Espressif's own toolchain: docs/boards.md says how" >&2; exit 2 ;;
  esac
  echo "== $chip" >&2
  cargo_for "$target" build --no-default-features --features "$chip"
  program=${CARGO_TARGET_DIR:-target}/$target/release/ossp-firmware
  images "$chip" "$program"
  no_places "images/ossp-$chip-application.bin"
  no_record "images/ossp-$chip-merged.bin"
  if [ "$chip" = esp32c3 ]; then
    node check-ram.mjs "$program"
    node size.mjs "$program" "images/ossp-$chip-application.bin"
  fi
  sha256sum "images/ossp-$chip-application.bin"
done
ls -l images
# The commit as the image names it (build.rs): whoever installs it sees that it is the same.
commit=$(git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || echo unknown)
echo "A release is signed with" >&2
for chip; do
  cat >&2 <<TEXT
  ossp sign firmware/images/ossp-$chip-application.bin --key FILE --board ${OSSP_BOARD:-$(first_board "$chip")} --commit $commit \\
    --rustc "$(compiler)" --espflash "$OSSP_ESPFLASH" -o ossp-VERSION-$chip.ossp
TEXT
done
echo "for plugs whose build had the public half as OSSP_UPDATE_KEY (docs/updating.md)." >&2
