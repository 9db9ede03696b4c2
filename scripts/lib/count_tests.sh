# shellcheck shell=bash
# Counts test cases. CTest sees programs; a GoogleTest program holds many cases, and its own report tells
# how each ended. Source it, do not run it.

# count_tests CTEST_REPORT GTEST_FOLDER: prints "PASSED FAILED SKIPPED".
# CTEST_REPORT is CTest's JUnit file; GTEST_FOLDER holds one GoogleTest XML report a program, named for
# the test. A program without a report counts as one case. A program that failed though its report names
# no failure (a crash after the last case, a sanitizer's verdict, a time-out) counts as one failed case
# more, so that nothing CTest calls a failure is lost.
count_tests() {
  local status name passed=0 failed=0 skipped=0
  local case_passed case_failed case_skipped
  while IFS=$'\t' read -r status name; do
    read -r case_passed case_failed case_skipped < <(count_gtest_cases "$2/$name.xml")
    case "$status" in
      run) ((case_passed + case_failed + case_skipped > 0)) || case_passed=1 ;;
      skip) ((case_passed + case_failed + case_skipped > 0)) || case_skipped=1 ;;
      *) ((case_failed > 0)) || case_failed=1 ;;
    esac
    passed=$((passed + case_passed)) failed=$((failed + case_failed)) skipped=$((skipped + case_skipped))
  done < <(ctest_results "$1")
  printf '%d %d %d\n' "$passed" "$failed" "$skipped"
}

# One line a test of CTest's JUnit file: status (run, skip, fail), tab, name. CTest says "notrun" of tests
# that skipped themselves and of tests that could not be started: the second kind has failed.
ctest_results() {
  awk '
    function attribute(name,   text) {
      if (!match($0, " " name "=\"[^\"]*\"")) return ""
      text = substr($0, RSTART, RLENGTH)
      sub(/^[^"]*"/, "", text); sub(/"$/, "", text)
      return text
    }
    /^\t<testcase / {
      name = attribute("name")
      status = attribute("status")
      if (status == "disabled") status = "skip"
      if (status == "notrun") status = "fail"
    }
    /^\t\t<skipped message="SKIP_/ { status = "skip" }
    /^\t<\/testcase>/ { print status "\t" name }' "$1"
}

# The cases of one GoogleTest XML report, disabled ones counted as skipped; nothing when there is none.
count_gtest_cases() {
  if [[ ! -s "$1" ]]; then
    printf '0 0 0\n'
    return
  fi
  awk '
    function count(name,   text) {
      if (!match($0, " " name "=\"[0-9]+\"")) return 0
      text = substr($0, RSTART, RLENGTH)
      gsub(/[^0-9]/, "", text)
      return text + 0
    }
    /^  <testsuite / {
      tests += count("tests")
      failed += count("failures") + count("errors")
      skipped += count("skipped") + count("disabled")
    }
    END { print tests - failed - skipped, failed + 0, skipped + 0 }' "$1"
}
