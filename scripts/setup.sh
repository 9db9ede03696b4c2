#!/usr/bin/env bash
# Installs what building and testing Lockstep needs and this machine lacks (scripts/packages.txt).
#
# Usage: scripts/setup.sh [--check | --list] [--help]
#   --check   install nothing; say what is missing and exit 1 if anything required is
#   --list    print the names of all packages
#   --help    print this text
#
# Needs root or sudo only when a package is missing. Safe to run again: then it takes a moment.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/apt.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/apt.sh"

check_only=false
list_only=false
for argument in "$@"; do
  case "$argument" in
    --check) check_only=true ;;
    --list) list_only=true ;;
    --help | -h) usage "${BASH_SOURCE[0]}" && exit 0 ;;
    *) die "Unknown option '$argument'." "'scripts/setup.sh --help' lists the options." ;;
  esac
done

names=() needs=()
while read -r name need _; do
  [[ -n "$name" && "$name" != \#* ]] || continue
  names+=("$name")
  needs+=("$need")
done <"$repository/scripts/packages.txt"

if "$list_only"; then
  printf '%s\n' "${names[@]}"
  exit 0
fi

if ! have_command dpkg-query || ! have_command apt-get; then
  warn "this is no Debian or Ubuntu system: nothing was checked or installed." \
    "The counterparts of these Debian packages are needed: ${names[*]}"
  exit 0
fi

"$check_only" || one_at_a_time "${BASH_SOURCE[0]}" "$@"

installed=" $(installed_packages "${names[@]}" | tr '\n' ' ')"
missing=() missing_optional=()
for index in "${!names[@]}"; do
  name=${names[index]} need=${needs[index]}
  [[ "$installed" != *" $name "* ]] || continue
  case "$need" in
    command:*) have_command "${need#command:}" || missing+=("$name") ;;
    optional) missing_optional+=("$name") ;;
    *) missing+=("$name") ;;
  esac
done

if ((${#missing[@]} + ${#missing_optional[@]} == 0)); then
  step "Packages: all ${#names[@]} are there"
  exit 0
fi

if "$check_only"; then
  note "Missing: ${missing[*]:-nothing}; optional and missing: ${missing_optional[*]:-nothing}."
  ((${#missing[@]} == 0)) || note "Install with: $(install_command "${missing[@]}")"
  exit "$((${#missing[@]} > 0))"
fi

if ((${#missing[@]} > 0)); then
  step "Packages: installing ${#missing[@]} of ${#names[@]}: ${missing[*]}"
  become_root ||
    die "these packages are missing, and this user can become root neither directly nor by sudo." \
      "Run this as root, then start again:" \
      "  $(install_command "${missing[@]}")"
  install_packages "${missing[@]}" ||
    die "these packages could not be installed: ${missing[*]}" \
      "The whole output is in $logs/apt-install.log. Try by hand:" \
      "  $(install_command "${missing[@]}")"
else
  step "Packages: all that is required is there"
fi

for name in "${missing_optional[@]}"; do
  if become_root && install_packages "$name"; then
    note "Installed $name."
  else
    note "Going on without $name (optional). To have it: $(install_command "$name")"
  fi
done
