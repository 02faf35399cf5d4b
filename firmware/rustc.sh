#!/bin/sh
# Runs rustc for cargo (RUSTC_WRAPPER in toolchain.sh) and takes the place where the project lies out of its crates' identity: cargo
# puts the whole path of a package outside its workspace into `-C metadata`, and with that into symbols, their order and the image.
rustc=$1
shift
case "${CARGO_MANIFEST_DIR:-/}/" in
  "$OSSP_PROJECT"/*)
    for argument; do
      shift
      case $argument in
        metadata=*) argument=metadata=ossp-${CARGO_PKG_NAME:-} ;;
      esac
      set -- "$@" "$argument"
    done
    ;;
esac
exec "$rustc" "$@"
