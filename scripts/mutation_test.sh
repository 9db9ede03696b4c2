#!/usr/bin/env bash
# Tests the conformance suite: applies deliberate defects (conformance/mutants.txt), one at a time, to a
# copy of the sources, builds it, and runs the default suite. A defect that the suite does not find is
# a survivor: the script names it and exits with 1.
#
# Usage: scripts/mutation_test.sh [--only TEXT] [--device NAME] [--results FILE] [--check] [--help]
#   --only TEXT     only the mutants whose name contains TEXT (repeatable)
#   --device NAME   the device that runs the suite (default: the best accelerator)
#   --results FILE  write a Markdown table: mutant, file, verdict, the case that killed it
#   --check         build nothing; only check that every mutant still applies to the sources
#   --help          print this text
#
# All of them take about half an hour on two cores. Everything happens in build-mutation/.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/environment.sh"

all_arguments=("$@")
mutants_file="$repository/conformance/mutants.txt"
only=()
device=''
results=''
check_only=false
while (($# > 0)); do
  case "$1" in
    --only) need_value "$@" && only+=("$2") && shift ;;
    --device) need_value "$@" && device=$2 && shift ;;
    --results) need_value "$@" && results=$(realpath -m "$2") && shift ;;
    --check) check_only=true ;;
    --help | -h) usage "${BASH_SOURCE[0]}" && exit 0 ;;
    *) die "Unknown option '$1'." "'scripts/mutation_test.sh --help' lists the options." ;;
  esac
  shift
done

# The mutants: parallel arrays.
names=() files=() finds=() replacements=() hints=()
while IFS= read -r line; do
  case "$line" in
    '' | '#'*) ;;
    '['*']') names+=("${line:1:-1}") files+=('') finds+=('') replacements+=('') hints+=('') ;;
    'file    '*) files[-1]=${line#'file    '} ;;
    'find    '*) finds[-1]=${line#'find    '} ;;
    'replace '*) replacements[-1]=${line#'replace '} ;;
    'cases   '*) hints[-1]=${line#'cases   '} ;;
    *) die "$mutants_file: cannot read the line '$line'." ;;
  esac
done <"$mutants_file"

# How often mutant $1's text stands in its file, below folder $2. "\n" in a text is a line's end.
occurrences() {
  FIND=${finds[$1]} perl -0ne '
    (my $find = $ENV{FIND}) =~ s/\\n/\n/g;
    my $count = () = /\Q$find\E/g;
    print $count' "$2/${files[$1]}"
}

apply() {
  FIND=${finds[$1]} REPLACE=${replacements[$1]} perl -0pi -e '
    BEGIN { ($find = $ENV{FIND}) =~ s/\\n/\n/g; ($replace = $ENV{REPLACE}) =~ s/\\n/\n/g; }
    s/\Q$find\E/$replace/' "$2/${files[$1]}"
}

problems=0
for index in "${!names[@]}"; do
  if [[ ! -f "$repository/${files[index]}" ]]; then
    warn "mutant '${names[index]}': there is no file ${files[index]}."
    problems=$((problems + 1))
  elif count=$(occurrences "$index" "$repository") && [[ "$count" != 1 ]]; then
    warn "mutant '${names[index]}': its text stands $count times in ${files[index]}, not once."
    problems=$((problems + 1))
  fi
done
((problems == 0)) || die "$problems of ${#names[@]} mutants do not apply: bring conformance/mutants.txt up to date."
if "$check_only"; then
  note "All ${#names[@]} mutants apply."
  exit 0
fi
one_at_a_time "${BASH_SOURCE[0]}" "${all_arguments[@]}"

work="$repository/build-mutation"
source_copy="$work/source"
build="$work/build"
log="$work/last_build.log"
mkdir -p "$work"
step "Copying and building the sources without a defect"
rm -rf "$source_copy"
mkdir -p "$source_copy"
git -C "$repository" ls-files -z --cached --others --exclude-standard |
  (cd "$repository" && xargs -0 cp --parents -t "$source_copy")
cmake -S "$source_copy" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLOCKSTEP_BUILD_TESTS=OFF -DLOCKSTEP_WERROR=OFF \
  -DLOCKSTEP_BUILD_BENCHMARKS=OFF >"$log" 2>&1 || die "configuring failed: see $log"
build_program() { ninja -C "$build" lockstep_cli >"$log" 2>&1; }
build_program || die "building failed: see $log"

export_environment
# A defect must not meet pipelines of another: no cache of ours.
run_suite() {
  timeout 900 "$build/bin/lockstep" conform ${device:+--device "$device"} --fail-fast --no-progress \
    --timeout 20 --json "$work/report.json" "$@" >"$work/last_run.log" 2>&1
}
# Any failing run in the report: "case (contract, configuration): VERDICT".
first_failure() {
  perl -MJSON::PP -0ne '
    my $report = decode_json($_);
    for my $run (@{$report->{results}}) {
      next unless $run->{verdict} =~ /^(FAIL|CRASH|TIMEOUT)$/;
      print "$run->{case} ($run->{contract}, $run->{configuration}): $run->{verdict}";
      last;
    }' "$work/report.json"
}

step "Running the suite without a defect"
run_suite || die "the suite fails without any defect: see $work/last_run.log"

chosen() {
  ((${#only[@]} > 0)) || return 0
  local text
  for text in "${only[@]}"; do
    [[ "$1" != *"$text"* ]] || return 0
  done
  return 1
}

killed=0 survivors=() rows=()
for index in "${!names[@]}"; do
  chosen "${names[index]}" || continue
  cp "$repository/${files[index]}" "$source_copy/${files[index]}"
  apply "$index" "$source_copy"
  verdict=survived
  killer=''
  if ! build_program; then
    verdict='does not compile'
  else
    rm -f "$work/report.json"
    status=0
    if [[ -n "${hints[index]}" ]]; then
      # A part of the default suite: what it finds, the default suite finds.
      run_suite --filter "${hints[index]}" || status=$?
    fi
    ((status != 0)) || run_suite || status=$?
    if ((status == 1)) && [[ -s "$work/report.json" ]]; then
      verdict=killed
      killer=$(first_failure)
    elif ((status != 0)); then
      verdict="the suite did not run (status $status)"
    fi
  fi
  # A newer time than the defect's, so that it is built again.
  cp "$repository/${files[index]}" "$source_copy/${files[index]}"
  touch "$source_copy/${files[index]}"
  if [[ "$verdict" == killed ]]; then
    killed=$((killed + 1))
    note "killed    ${names[index]}: $killer"
  else
    survivors+=("${names[index]} ($verdict)")
    note "SURVIVED  ${names[index]} ($verdict)"
  fi
  rows+=("| ${names[index]} | \`${files[index]}\` | $verdict | $killer |")
done

total=$((killed + ${#survivors[@]}))
if [[ -n "$results" ]]; then
  {
    printf '| defect | in | verdict | first case that found it |\n|---|---|---|---|\n'
    printf '%s\n' "${rows[@]}"
  } >"$results"
fi
printf '%s\n' "${survivors[@]/#/survivor: }"
printf '%d of %d mutants killed\n' "$killed" "$total"
((killed == total))
