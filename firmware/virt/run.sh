#!/usr/bin/env bash
# Boots the plug; its page is then at http://127.0.0.1:PORT/ (PORT: first argument, 8081 if there is none).
# OSSP_VIRT_NETDEV is another network for QEMU; "hubport,id=net,hubid=0" is a cable that ends nowhere.
set -euo pipefail
cd "$(dirname "$0")"
./build.sh --bin plug >&2
exec qemu-system-riscv32 -M virt -cpu rv32,a=off,f=off,d=off,h=off,s=off,mmu=off,pmp=off -bios none -nographic -m 32M \
  -global virtio-mmio.force-legacy=false -device virtio-net-device,netdev=net,event_idx=off,indirect_desc=off \
  -netdev "${OSSP_VIRT_NETDEV:-user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${1:-8081}-:80}" \
  -kernel "${CARGO_TARGET_DIR:-target}/riscv32imc-unknown-none-elf/release/plug"
