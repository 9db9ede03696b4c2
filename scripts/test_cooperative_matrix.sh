#!/usr/bin/env bash
# Tests the cooperative-matrix kernels on a machine without a GPU that has them: runs this build's device
# tests and its conformance suite on the lavapipe of Debian forky (scripts/forky_root.sh), under forky's
# validation layer. Exits with 0 when nothing failed, and with 77, saying why, where it cannot run.
#
# Usage: scripts/test_cooperative_matrix.sh [--quick] [--preset NAME] [--help]
#   --quick        not every kernel in every convolution of the suite, which takes some minutes
#   --preset NAME  whose programs are tested: release (default) or debug
#   --help         print this text
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

quick=false
preset=release
while (($# > 0)); do
  case "$1" in
    --quick) quick=true ;;
    --preset) need_value "$@" && preset=$2 && shift ;;
    --help | -h) usage "${BASH_SOURCE[0]}" && exit 0 ;;
    *) die "Unknown option '$1'." "'scripts/test_cooperative_matrix.sh --help' lists the options." ;;
  esac
  shift
done
build_folder=$(preset_folder "$preset")

skip() {
  note "SKIPPED: cooperative matrices on lavapipe: $1."
  exit 77
}

tests=(backend_vulkan_device_test backend_vulkan_kernel_test backend_vulkan_program_test
  backend_vulkan_fused_program_test)
programs=("$build_folder/bin/lockstep" "${tests[@]/#/$build_folder/tests/}")
for program in "${programs[@]}"; do
  [[ -x "$program" ]] || die "$program is not there." "Build it with scripts/build.sh."
done

"$repository/scripts/forky_root.sh" || skip "there is no Debian forky root"
root="$build_root/forky"
# The suite's child processes find their program through /proc; a mount of our own ends with us.
unshare --mount true 2>/dev/null || skip "this system lets nobody mount inside a root"
"$repository/scripts/precompile_shaders.sh" --check

# What this system's programs need and forky does not have goes with them.
inside=/opt/lockstep
rm -rf "${root:?}$inside"
mkdir -p "$root$inside"
cp "${programs[@]}" "$root$inside/"
ldd "${programs[@]}" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
  while read -r library; do
    compgen -G "$root/usr/lib/*/$(basename "$library")" >/dev/null || cp "$library" "$root$inside/"
  done

driver=$(cd "$root" && compgen -G 'usr/share/vulkan/icd.d/lvp_icd*.json' | head -n 1) ||
  skip "forky's package mesa-vulkan-drivers holds no lavapipe"

# in_root NAME=VALUE... COMMAND...: that and nothing else of this environment.
in_root() {
  # shellcheck disable=SC2016  # expanded by the inner shell
  unshare --mount bash -c 'mount -t proc proc "$1/proc" && root=$1 && shift && exec chroot "$root" "$@"' - \
    "$root" /usr/bin/env -i PATH=/usr/bin HOME=/root LD_LIBRARY_PATH="$inside" \
    VK_DRIVER_FILES="/$driver" VK_ICD_FILENAMES="/$driver" "$@"
}

shapes=$(in_root "$inside/lockstep" devices --json | sed -n 's/.*"cooperative matrices": "\([0-9][^"]*\)".*/\1/p')
[[ -n "$shapes" ]] || die "forky's lavapipe offers no cooperative matrices any more."
note "lavapipe offers $shapes."

failures=0
for test in "${tests[@]}"; do
  step "$test on forky's lavapipe, with its validation layer"
  log="$logs/forky_$test.log"
  status=0
  run_logged "$log" in_root LOCKSTEP_VALIDATION=1 "$inside/$test" || status=$?
  grep -E '^\[  (PASSED|SKIPPED|FAILED)  \]' "$log" | sed 's/^/    /' || true
  if ((status != 0)) || grep -q 'Vulkan validation: ' "$log"; then
    show_log_tail "$log"
    warn "$test failed." "The whole output is in $log."
    failures=$((failures + 1))
  fi
done

# conform REPORT OPTION...: into $logs.
conform() {
  local report=$1
  shift
  in_root "$inside/lockstep" conform --device llvmpipe --no-progress --workers "$(nproc)" \
    --json "$inside/$report" "$@" || failures=$((failures + 1))
  cp "$root$inside/$report" "$logs/"
}
step "The quick suite, with the kernels this device prefers"
conform forky_quick.json --quick
if ! "$quick"; then
  step "Every convolution and fully connected layer of the suite, and what is fused, with every kernel"
  conform forky_kernels.json --filter conv_2d/ --filter fully_connected/ --filter fused/ --exclude depthwise_conv_2d/
  forced=$(grep -c '"configuration": ".*kernel=convolution_cooperative_matrix' "$logs/forky_kernels.json" || true)
  note "$forced of these runs were on cooperative matrices."
  ((forced > 0)) || failures=$((failures + 1))
fi

((failures == 0)) || die "$failures of these steps failed."
note "Cooperative matrices: everything passed."
