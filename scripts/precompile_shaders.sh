#!/usr/bin/env bash
# Compiles the shaders of precompiled_modules.txt, in shaders/ and in bench/device/, with the glslang of
# Debian forky, validates them, and writes modules and manifest into the folder precompiled/ beside it.
#
# Usage: scripts/precompile_shaders.sh [--check] [--help]
#   --check   write nothing; exit with 1 where a module would come out differently
#   --help    print this text
#
# Run it after changing one of these shaders or anything they include. Exits with 77 where there is no
# forky root and none can be made (scripts/forky_root.sh says why).
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

check_only=false
for argument in "$@"; do
  case "$argument" in
    --check) check_only=true ;;
    --help | -h) usage "${BASH_SOURCE[0]}" && exit 0 ;;
    *) die "Unknown option '$argument'." "'scripts/precompile_shaders.sh --help' lists the options." ;;
  esac
done

"$repository/scripts/forky_root.sh" || exit $?
root="$build_root/forky"
work=/tmp/precompile_shaders

# in_root COMMAND...: inside the root, in the copy of the shaders.
in_root() { chroot "$root" env --chdir="$work" "$@"; }

# precompile FOLDER: the modules of its precompiled_modules.txt.
precompile() {
  local shaders="$repository/$1" name source defines names=()
  step "Compiling for $1/precompiled"
  rm -rf "${root:?}$work"
  mkdir -p "$root$work"
  find "$shaders" -maxdepth 1 \( -name '*.comp' -o -name '*.glsl' \) -exec cp -t "$root$work" {} +
  while read -r name source defines; do
    [[ -n "$name" && "$name" != \#* ]] || continue
    read -ra words <<<"$defines"
    in_root glslangValidator -V -g0 --quiet --target-env vulkan1.1 "${words[@]/#/-D}" -o "$name.spv" "$source"
    in_root spirv-val --target-env vulkan1.1 "$name.spv"
    names+=("$name")
  done <"$shaders/precompiled_modules.txt"

  if "$check_only"; then
    for name in "${names[@]}"; do
      cmp "$root$work/$name.spv" "$shaders/precompiled/$name.spv" ||
        die "$1/precompiled/$name.spv is not what its source compiles to." "Run scripts/precompile_shaders.sh."
    done
    note "All modules are what their sources compile to: ${#names[@]}."
    return
  fi

  mkdir -p "$shaders/precompiled"
  rm -f "$shaders"/precompiled/*.spv
  for name in "${names[@]}"; do
    cp "$root$work/$name.spv" "$shaders/precompiled/"
  done
  cmake -DSHADERS="$shaders" -DACTION=write -DGENERATOR="$generator, --target-env vulkan1.1" \
    -DVALIDATOR="$validator: valid" -P "$repository/cmake/precompiled_manifest.cmake"
  note "Wrote modules and manifest.txt: ${#names[@]}."
}

mkdir -p "$root$work"
generator=$(in_root glslangValidator --version | sed -n 's/^Glslang Version: [0-9]*:/glslang /p')
validator=$(in_root spirv-val --version | sed -n 's/^SPIRV-Tools \([^ ]*\).*/spirv-val \1/p')
precompile shaders
precompile bench/device
