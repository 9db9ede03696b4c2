#!/usr/bin/env bash
# Tests scripts/lib/count_tests.sh on reports as CTest and GoogleTest write them.
set -euo pipefail
# shellcheck source=../../scripts/lib/count_tests.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/count_tests.sh"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/gtest"

# ctest_report STATUS NAME...: CTest's JUnit file. The status "notrun:MESSAGE" gives the reason too.
ctest_report() {
  printf '<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="x" tests="9" failures="0">\n'
  while (($# > 0)); do
    printf '\t<testcase name="%s" classname="%s" time="0.1" status="%s">\n' "$2" "$2" "${1%%:*}"
    [[ "$1" != *:* ]] || printf '\t\t<skipped message="%s"/>\n' "${1#*:}"
    printf '\t\t<system-out>&lt;testcase</system-out>\n\t</testcase>\n'
    shift 2
  done
  printf '</testsuite>\n'
}

# gtest_report TESTS FAILURES SKIPPED: two suites, so that sums are tested too.
gtest_report() {
  printf '<?xml version="1.0" encoding="UTF-8"?>\n'
  printf '<testsuites tests="%d" failures="%d" disabled="0" errors="0" name="AllTests">\n' "$(($1 + 1))" "$2"
  printf '  <testsuite name="A" tests="%d" failures="%d" disabled="0" skipped="%d" errors="0">\n' "$@"
  printf '    <testcase name="a" status="run" result="completed">\n'
  printf '      <failure message="x"><![CDATA[<testsuite tests="99">]]></failure>\n    </testcase>\n  </testsuite>\n'
  printf '  <testsuite name="B" tests="1" failures="0" disabled="0" skipped="0" errors="0">\n  </testsuite>\n'
  printf '</testsuites>\n'
}

failures=0
# expect WHAT "PASSED FAILED SKIPPED" STATUS NAME...
expect() {
  local what=$1 wanted=$2 counted
  shift 2
  ctest_report "$@" >"$folder/ctest.xml"
  counted=$(count_tests "$folder/ctest.xml" "$folder/gtest")
  if [[ "$counted" != "$wanted" ]]; then
    printf '%s: counted %s instead of %s\n' "$what" "$counted" "$wanted"
    failures=$((failures + 1))
  fi
}

gtest_report 7 0 0 >"$folder/gtest/good.xml"
gtest_report 7 2 1 >"$folder/gtest/bad.xml"
: >"$folder/gtest/empty.xml"

expect 'cases of a GoogleTest program are counted one by one' '8 0 0' run good
expect 'failures and skips come from the report' '5 2 1' fail bad
expect 'programs add up' '13 2 1' run good fail bad
expect 'a program without a report is one case' '1 0 0' run plain
expect 'a failing program without a report is one failure' '0 1 0' fail crashed
expect 'an empty report is none' '0 1 0' fail empty
expect 'a program that fails after its last case is a failure' '8 1 0' fail good
expect 'a disabled test is skipped' '0 0 1' disabled plain
expect 'a test that says it skips is skipped' '0 0 1' notrun:SKIP_RETURN_CODE=77 plain
expect 'a test that could not be started is a failure' '0 1 0' 'notrun:Unable to find executable' missing
expect 'no test at all' '0 0 0'

if ((failures > 0)); then exit 1; fi
printf 'all good\n'
