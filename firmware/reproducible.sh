#!/usr/bin/env bash
# Builds the committed state twice, in two folders that this script makes and removes, and fails unless both images have the same
# bytes. With an image as argument it builds once and compares with that: how anybody checks a release (docs/updating.md).
# OSSP_BOARD, OSSP_UPDATE_KEY and the others are part of a build: set them as the release did.
# usage: reproducible.sh [--chip CHIP] [IMAGE]
set -euo pipefail
chip=esp32c3
[ "${1:-}" != --chip ] || { chip=$2 && shift 2; }
# Before the folder is another.
given=${1:+$(realpath "$1")}
cd "$(dirname "$0")"
root=$(git rev-parse --show-toplevel)
commit=$(git rev-parse HEAD)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -z "$(git status --porcelain --untracked-files=no)" ] || echo "what is not committed is not looked at" >&2

# $1: a folder's name. Its target folder is its own too.
built() {
  git clone --quiet --no-hardlinks "$root" "$work/$1"
  git -C "$work/$1" -c advice.detachedHead=false checkout --quiet "$commit"
  CARGO_TARGET_DIR=$work/$1-target "$work/$1/firmware/build.sh" "$chip" >&2
  mv "$work/$1/firmware/images/ossp-$chip-application.bin" "$work/$1.bin"
  rm -rf "${work:?}/$1" "$work/$1-target"
}

built one
if [ -n "$given" ]; then other=$given; else built another/folder-with-a-longer-name && other=$work/another/folder-with-a-longer-name.bin; fi
if ! cmp "$work/one.bin" "$other"; then
  echo "not the same bytes: $(sha256sum <"$work/one.bin") and $(sha256sum <"$other")" >&2
  exit 1
fi
echo "the same bytes, wherever they are built: $(sha256sum <"$other" | cut -d' ' -f1)"
