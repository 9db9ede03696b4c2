#!/usr/bin/env bash
# Sets up, builds and runs all tests. Prints "N passed, N failed" (", N skipped") as its last line and
# exits with 0 only when nothing failed.
#
# Usage: scripts/test.sh [--preset NAME] [--filter REGEX] [--jobs N] [--hazards] [--no-setup] [--help]
#                        [-- CTEST_ARGUMENT...]
#   --preset NAME   release (default), debug, asan-ubsan or tsan
#   --filter REGEX  only the tests whose name matches
#   --jobs N        this many compilers or tests at once (default: one a core)
#   --hazards       device tests run under a newer validation layer that also checks synchronization
#   --no-setup      neither install, nor fetch, nor build: run the tests that are built
#   --help          print this text
#   -- ...          further arguments for ctest, e.g. -- --repeat until-fail:3
#
# The tests' environment (engines, networks, Vulkan drivers) is described in scripts/lib/environment.sh.
# Every test has a time limit and is killed when it hangs. Reports: test-results/ in the build folder.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/environment.sh"
# shellcheck source=lib/count_tests.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/count_tests.sh"

all_arguments=("$@")
preset=release
filter=''
jobs=$(nproc)
set_up=true
hazards=false
ctest_arguments=()
while (($# > 0)); do
  case "$1" in
    --preset) need_value "$@" && preset=$2 && shift ;;
    --filter) need_value "$@" && filter=$2 && shift ;;
    --jobs) need_value "$@" && jobs=$2 && shift ;;
    --hazards) hazards=true ;;
    --no-setup) set_up=false ;;
    --help | -h) usage "${BASH_SOURCE[0]}" && exit 0 ;;
    --) shift && ctest_arguments=("$@") && break ;;
    *) die "Unknown option '$1'." "'scripts/test.sh --help' lists the options." ;;
  esac
  shift
done
one_at_a_time "${BASH_SOURCE[0]}" "${all_arguments[@]}"
build_folder=$(preset_folder "$preset")

if "$set_up"; then
  "$repository/scripts/setup.sh"
  "$repository/scripts/fetch.sh"
  "$repository/scripts/build.sh" --preset "$preset" --jobs "$jobs"
fi
[[ -f "$build_folder/CTestTestfile.cmake" ]] || die "$build_folder holds no tests: run without --no-setup."

results="$build_folder/test-results"
rm -rf "$results"
mkdir -p "$results/gtest"
export_environment
export_vulkan_drivers_for_tests
! "$hazards" || export_hazard_checks
# Every GoogleTest program writes its report into this folder, under its own name.
export GTEST_OUTPUT="xml:$results/gtest/"

step "Testing ($preset)"
[[ -z "$filter" ]] || ctest_arguments+=(--tests-regex "$filter")
ctest_status=0
ctest --test-dir "$build_folder" --parallel "$jobs" --output-on-failure --no-tests=error --timeout 600 \
  --output-junit "$results/ctest.xml" "${ctest_arguments[@]}" </dev/null || ctest_status=$?
[[ -s "$results/ctest.xml" ]] || die "ctest left no report (exit status $ctest_status): no test ran."

read -r passed failed skipped < <(count_tests "$results/ctest.xml" "$results/gtest")
# Whatever made ctest fail beside a test itself still fails the run.
((ctest_status == 0 || failed > 0)) || failed=1
summary="$passed passed, $failed failed"
((skipped == 0)) || summary+=", $skipped skipped"
tee "$results/summary.txt" <<<"$summary"
((failed == 0))
