# shellcheck shell=bash
# Debian packages: what is there, what is missing, how to get it. Source it, do not run it.

# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# installed_packages NAME...: those of the names that are fully installed, one a line.
installed_packages() {
  # dpkg-query fails as soon as one name is unknown to it, which is an answer and not an error here.
  dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
    awk '$2 == "installed" { print $1 }' | sort -u || true
}

have_package() { [[ -n "$(installed_packages "$1")" ]]; }

# become_root: sets the array `as_root` to the words that run a command as root; fails where nothing does.
become_root() {
  as_root=()
  ((EUID != 0)) || return 0
  have_command sudo || return 1
  if sudo --non-interactive true 2>/dev/null; then
    as_root=(sudo)
  elif [[ -t 0 && -t 2 ]]; then
    note "sudo asks for your password to install packages."
    sudo --validate && as_root=(sudo)
  else
    return 1
  fi
}

apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l \
    apt-get --yes --option DPkg::Lock::Timeout=300 --option Dpkg::Use-Pty=0 "$@"
}

# update_package_lists: at most once a run; fails where it needs a root that nobody can become.
package_lists_updated=false
update_package_lists() {
  [[ "$package_lists_updated" == false ]] || return 0
  become_root || return 1
  note "Updating the package lists (apt-get update)."
  run_logged "$logs/apt-update.log" apt_get update || return 1
  package_lists_updated=true
}

# install_packages NAME...: installs them, updating the package lists where the first try fails.
install_packages() {
  local log="$logs/apt-install.log"
  become_root || return 1
  run_logged "$log" apt_get install --no-install-recommends "$@" && return 0
  update_package_lists && run_logged "$log" apt_get install --no-install-recommends "$@" && return 0
  show_log_tail "$log"
  return 1
}

# install_command NAME...: what to type, as root, to get the packages by hand.
install_command() {
  local prefix=''
  ((EUID == 0)) || ! have_command sudo || prefix='sudo '
  printf '%sapt-get update && %sapt-get install --no-install-recommends %s' "$prefix" "$prefix" "$*"
}
