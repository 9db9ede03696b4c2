#!/usr/bin/env bash
# Builds Lockstep: programs into build/bin, libraries into build/lib.
#
# Usage: scripts/build.sh [--preset NAME] [--jobs N] [--help] [-- CMAKE_ARGUMENT...]
#   --preset NAME  release (default, in build/), debug, asan-ubsan or tsan (in build-NAME/)
#   --jobs N       this many compilers at once (default: one a core)
#   --help         print this text
#   -- ...         further arguments for CMake's configuration, e.g. -- -DLOCKSTEP_WERROR=OFF
#
# Configures only when the preset or the arguments changed, and compiles only what changed.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/environment.sh"

all_arguments=("$@")
preset=release
jobs=$(nproc)
cmake_arguments=()
while (($# > 0)); do
  case "$1" in
    --preset) need_value "$@" && preset=$2 && shift ;;
    --jobs) need_value "$@" && jobs=$2 && shift ;;
    --help | -h) usage "${BASH_SOURCE[0]}" && exit 0 ;;
    --) shift && cmake_arguments=("$@") && break ;;
    *) die "Unknown option '$1'." "'scripts/build.sh --help' lists the options." ;;
  esac
  shift
done
one_at_a_time "${BASH_SOURCE[0]}" "${all_arguments[@]}"

for command in cmake ninja c++; do
  have_command "$command" || die "$command is missing." "scripts/setup.sh installs what the build needs."
done
build_folder=$(preset_folder "$preset")

# A compiler cache that works across checkouts: paths below the checkout are hashed relative to it.
if have_command ccache; then
  cmake_arguments+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  export CCACHE_BASEDIR="$repository" CCACHE_NOHASHDIR=true
fi
export_environment
# CMake keeps what it was told first: these can have come, or changed, since.
for variable in LOCKSTEP_MODELS_DIR LOCKSTEP_TFLITE_INCLUDE_DIR; do
  [[ -z "${!variable:-}" ]] || cmake_arguments=("-D$variable=${!variable}" "${cmake_arguments[@]}")
done

cd "$repository"
configuration="$preset ${cmake_arguments[*]} $(sha256sum CMakePresets.json)"
record="$build_folder/.configuration"
if [[ ! -f "$build_folder/build.ninja" || "$(cat "$record" 2>/dev/null)" != "$configuration" ]]; then
  step "Configuring ($preset)"
  log="$logs/configure-$preset.log"
  run_logged "$log" cmake --preset "$preset" "${cmake_arguments[@]}" || {
    show_log_tail "$log"
    die "the configuration failed. The whole output is in $log" \
      "A package may be missing: scripts/setup.sh installs what the build needs."
  }
  printf '%s\n' "$configuration" >"$record"
fi

step "Building ($preset, $jobs at a time)"
begin=$SECONDS
cmake --build "$build_folder" --parallel "$jobs" ||
  die "the build failed: the first message above that says 'error' tells why."
step "Built in $((SECONDS - begin)) s: programs in $build_folder/bin, libraries in $build_folder/lib"
