# shellcheck shell=bash
# Shared by every script: where things are, messages, one run at a time. Source it, do not run it.
# shellcheck disable=SC2034  # most variables are for the scripts that source this

repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
build_root="$repository/build"
downloads="$build_root/downloads"
third_party="$build_root/third_party"
logs="$build_root/logs"

# Colour only for a person: never into a file, a pipe or a terminal that asked for none.
if [[ -t 1 && -z "${NO_COLOR:-}" && "${TERM:-dumb}" != dumb ]]; then
  bold=$'\033[1m' yellow=$'\033[33m' red=$'\033[31m' plain=$'\033[0m' erase_line=$'\r\033[K'
else
  bold='' yellow='' red='' plain='' erase_line=''
fi

step() { printf '%s==> %s%s\n' "$bold" "$*" "$plain"; }
note() { printf '    %s\n' "$*"; }

# complain KIND COLOUR LINE...: on standard error, the first line after the kind, the others below.
complain() {
  printf '%s%s:%s %s\n' "$2" "$1" "$plain" "$3" >&2
  shift 3
  (($# == 0)) || printf '    %s\n' "$@" >&2
}
warn() { complain Warning "$yellow" "$@"; }
die() {
  complain Error "$red" "$@"
  exit 1
}

have_command() { command -v "$1" >/dev/null 2>&1; }

# usage FILE: prints the comment at the head of a script, which is its manual.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$1"; }

# need_value OPTION VALUE...: an error when no value follows the option.
need_value() { (($# >= 2)) || die "$1 needs a value." "'--help' lists the options."; }

# Copies standard input into LOG; shows the newest line on a terminal, one line every ten seconds
# elsewhere. Reads to the end, so that nothing is left behind in the background.
show_progress() {
  local log=$1 line shown=$SECONDS
  while IFS= read -r line || [[ -n "$line" ]]; do
    printf '%s\n' "$line" >&3
    if [[ -n "$erase_line" ]]; then
      printf '%s    %.90s' "$erase_line" "$line"
    elif ((SECONDS - shown >= 10)); then
      note "$line"
      shown=$SECONDS
    fi
  done 3>"$log"
  printf '%s' "$erase_line"
}

# run_logged LOG COMMAND...: runs quietly with progress; the whole output is in LOG.
run_logged() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  "$@" </dev/null 2>&1 | show_progress "$log"
}

# show_log_tail LOG: the end of a log, indented, on standard error.
show_log_tail() { [[ ! -s "$1" ]] || tail -n 15 "$1" | sed 's/^/    | /' >&2; }

require_writable_build_folder() {
  mkdir -p "$build_root" 2>/dev/null || true
  [[ -w "$build_root" ]] ||
    die "$build_root cannot be written by user $(id -un)." \
      "Give it to that user, e.g. as root: mkdir -p '$build_root' && chown -R $(id -un) '$build_root'"
}

# one_at_a_time "$0" "$@": starts the calling script anew under a lock of this checkout, so that two
# runs cannot install, download or build over each other. Scripts called by a holder of the lock pass.
one_at_a_time() {
  require_writable_build_folder
  local lock="$build_root/.lock"
  [[ "${LOCKSTEP_LOCK_HELD:-}" != "$lock" ]] || return 0
  if ! have_command flock; then
    warn "flock (package util-linux) is missing: do not run these scripts twice at a time."
    return 0
  fi
  flock --nonblock "$lock" true || note "Another run holds $lock: waiting for it to end."
  LOCKSTEP_LOCK_HELD="$lock" exec flock --close "$lock" bash "$@"
}

# The name of this processor as Debian spells it.
architecture() {
  case "$(uname -m)" in
    x86_64) printf 'amd64' ;;
    aarch64) printf 'arm64' ;;
    *) uname -m ;;
  esac
}

# preset_folder PRESET: where CMakePresets.json builds it.
preset_folder() {
  case "$1" in
    release) printf '%s' "$build_root" ;;
    debug | asan-ubsan | tsan) printf '%s' "$repository/build-$1" ;;
    *) die "There is no preset '$1'." "There are release, debug, asan-ubsan and tsan." ;;
  esac
}
