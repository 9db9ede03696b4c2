#!/usr/bin/env bash
# Fetches what the demo and the tests use and Debian does not package (scripts/third_party.txt), and
# SwiftShader, a second Vulkan implementation beside lavapipe, out of one of Debian's packages.
#
# Usage: scripts/fetch.sh [--help]
#
# Everything lands in build/third_party; the archives stay in build/downloads. Every file is checked
# against its SHA-256 on every run. What is there and right is not fetched again: then no network and
# no root is needed. To bring an archive to a machine without network, put it into build/downloads.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/apt.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/apt.sh"

case "${1:-}" in
  '') ;;
  --help | -h) usage "${BASH_SOURCE[0]}" && exit 0 ;;
  *) die "Unknown option '$1'." "'scripts/fetch.sh --help' prints the manual." ;;
esac
one_at_a_time "${BASH_SOURCE[0]}" "$@"

scratch=$(mktemp -d "$build_root/fetch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
this_architecture=$(architecture)

sha256_of() { sha256sum "$1" | cut -d ' ' -f 1; }
has_sha256() { [[ -f "$1" && "$(sha256_of "$1")" == "$2" ]]; }

# fetch_archive PACKAGE@VERSION SHA256: sets `archive` to the checked archive in build/downloads.
fetch_archive() {
  local specification=$1 sha256=$2 name log="$logs/npm.log"
  name=${specification#@}
  name=${name//[\/@]/-}.tgz
  archive="$downloads/$name"
  has_sha256 "$archive" "$sha256" && return 0
  have_command npm ||
    die "npm is needed to download $specification, and it is missing." \
      "Install it ($(install_command npm)), or bring the package's archive with" \
      "SHA-256 $sha256 to $archive"
  # A cache of our own: the user's may be unwritable, and the archive is kept anyway.
  (cd "$scratch" && run_logged "$log" npm pack --ignore-scripts --cache "$scratch/npm-cache" \
    --update-notifier=false "$specification") || {
    show_log_tail "$log"
    die "npm could not download $specification. The whole output is in $log" \
      "Check the network and npm's settings ('npm config list'), or bring the package's archive" \
      "with SHA-256 $sha256 to $archive"
  }
  [[ -f "$scratch/$name" ]] || die "npm downloaded $specification without leaving $name."
  has_sha256 "$scratch/$name" "$sha256" ||
    die "$specification has SHA-256 $(sha256_of "$scratch/$name")" \
      "where $sha256 is pinned in scripts/third_party.txt: it is not used."
  mkdir -p "$downloads"
  mv "$scratch/$name" "$archive"
}

# extract ARCHIVE PATH[!PATH_IN_ZIP] DESTINATION SHA256: writes one file, in whole or not at all.
extract() {
  local archive=$1 path=$2 destination="$third_party/$3" sha256=$4 file="$scratch/extracted"
  tar --extract --gzip --to-stdout --file "$archive" "package/${path%%!*}" >"$file"
  if [[ "$path" == *!* ]]; then
    have_command unzip || die "unzip is missing." "Install it: $(install_command unzip)"
    unzip -p "$file" "${path#*!}" >"$file.unzipped"
    mv "$file.unzipped" "$file"
  fi
  has_sha256 "$file" "$sha256" ||
    die "$path of $(basename "$archive") has SHA-256 $(sha256_of "$file")" \
      "where $sha256 is pinned in scripts/third_party.txt: it is not used."
  mkdir -p "$(dirname "$destination")"
  mv "$file" "$destination"
}

fetch_npm_packages() {
  local kind first second third fourth specification='' sha256='' archive=''
  while read -r kind first second third fourth; do
    case "$kind" in
      npm) specification=$first sha256=$second archive='' ;;
      file)
        [[ "$second" == any || "$second" == "$this_architecture" ]] || continue
        ! has_sha256 "$third_party/$fourth" "$first" || continue
        if [[ -z "$archive" ]]; then
          step "Fetching $specification"
          fetch_archive "$specification" "$sha256"
        fi
        extract "$archive" "$third" "$fourth" "$first"
        ;;
    esac
  done <"$repository/scripts/third_party.txt"
}

# Debian's chromium-common holds SwiftShader, a second Vulkan implementation, and a validation layer that
# is newer than Debian's own and sees hazards between shaders. Both come from Debian's signed archive,
# whose newest version is the only one kept there: apt checks it, and no version is pinned. Neither the
# package nor what it depends on is installed.
fetch_vulkan_extras() {
  local package=chromium-common folder="$third_party/vulkan" log="$logs/vulkan-extras.log" extracted
  [[ ! -d "$folder" ]] || return 0
  have_command apt-get && have_command dpkg || return 1
  step "Fetching SwiftShader and a newer validation layer (from Debian's $package)"
  download_package() { (cd "$scratch" && run_logged "$log" apt-get download "$package"); }
  download_package || { update_package_lists && download_package; } || return 1
  dpkg --extract "$scratch/$package"_*.deb "$scratch/$package" || return 1
  extracted="$scratch/$package/usr/lib/chromium"
  mkdir -p "$scratch/vulkan" "$third_party"
  mv "$extracted"/{vk_swiftshader_icd.json,libvk_swiftshader.so,libVkLayer_khronos_validation.so} \
    "$scratch/vulkan" || return 1
  write_layer_manifest >"$scratch/vulkan/VkLayer_khronos_validation.json"
  mv "$scratch/vulkan" "$folder"
}

# What tells the Vulkan loader of the layer beside it; the package brings none.
write_layer_manifest() {
  cat <<'MANIFEST'
{
  "file_format_version": "1.2.0",
  "layer": {
    "name": "VK_LAYER_KHRONOS_validation",
    "type": "GLOBAL",
    "library_path": "./libVkLayer_khronos_validation.so",
    "api_version": "1.4.300",
    "implementation_version": "1",
    "description": "Khronos validation layer, newer than the system's",
    "instance_extensions": [
      {"name": "VK_EXT_debug_report", "spec_version": "9"},
      {"name": "VK_EXT_debug_utils", "spec_version": "1"},
      {"name": "VK_EXT_validation_features", "spec_version": "2"}
    ]
  }
}
MANIFEST
}

fetch_npm_packages
fetch_vulkan_extras ||
  warn "SwiftShader could not be fetched: tests run without this second device." \
    "'apt-get download chromium-common' must work; see $logs/vulkan-extras.log"
step "Engines, network and photo: all are there"
