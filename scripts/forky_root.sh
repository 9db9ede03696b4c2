#!/usr/bin/env bash
# Makes a small Debian forky inside the build folder: with a lavapipe that has cooperative matrices, its
# validation layer, and a glslang and a spirv-val that know them. Prints the root's path as its last line.
#
# Usage: scripts/forky_root.sh [--fresh] [--help]
#   --fresh   make it anew even if it is there
#   --help    print this text
#
# Needs debootstrap, root rights and the network, and takes about half a minute and 700 MB. Exits with
# 77 where it cannot be made, after saying why.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

fresh=false
for argument in "$@"; do
  case "$argument" in
    --fresh) fresh=true ;;
    --help | -h) usage "${BASH_SOURCE[0]}" && exit 0 ;;
    *) die "Unknown option '$argument'." "'scripts/forky_root.sh --help' lists the options." ;;
  esac
done
require_writable_build_folder

cannot=77
root="$build_root/forky"
packages=(mesa-vulkan-drivers libvulkan1 vulkan-validationlayers glslang-tools spirv-tools libstdc++6)

refuse() {
  warn "no Debian forky root: $1." "${@:2}"
  exit "$cannot"
}

if "$fresh" || [[ ! -f "$root/.complete" ]]; then
  ((EUID == 0)) || refuse "only root can make and enter one"
  have_command debootstrap || refuse "debootstrap is missing" "Install the Debian package debootstrap."
  step "Debian forky: making $root"
  rm -rf "$root"
  # Older versions of debootstrap do not know forky by name; it is made as sid is. An empty mirror is
  # debootstrap's default one.
  script=/usr/share/debootstrap/scripts/forky
  [[ -e "$script" ]] || script=/usr/share/debootstrap/scripts/sid
  joined=$(IFS=, && printf '%s' "${packages[*]}")
  if ! run_logged "$logs/forky.log" debootstrap --variant=minbase --include="$joined" forky "$root" \
    "${LOCKSTEP_DEBIAN_MIRROR:-}" "$script"; then
    show_log_tail "$logs/forky.log"
    refuse "debootstrap failed" "The whole output is in $logs/forky.log."
  fi
  chroot "$root" glslangValidator --version >/dev/null || refuse "its programs do not run on this machine"
  touch "$root/.complete"
fi
printf '%s\n' "$root"
