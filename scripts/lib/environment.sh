# shellcheck shell=bash
# The environment of tests and demo. A variable that the user has set already keeps its value; one whose
# file is not there stays unset, and the tests that need it are skipped. Source it, do not run it; to try
# something by hand:  source scripts/lib/environment.sh && export_environment && build/bin/lockstep ...
#
#   LOCKSTEP_TFLITE_LIBRARY            libtensorflowlite_c.so of TFLite 2.9.0, the host engine
#   LOCKSTEP_TFLITE_EXTERNAL_DELEGATE  libexternal_delegate_obj.so of 2.9.0: loads a delegate plugin
#   LOCKSTEP_TFLITE_INCLUDE_DIR        the C headers of 2.9.0
#   LOCKSTEP_TFLITE_2_2_LIBRARY        libtensorflowlite_c.so of TFLite 2.2.0, an older host (amd64 only)
#   LOCKSTEP_LITERT_JS                 folder with LiteRT.js 2.5.3's WebAssembly build, for conformance/engines
#   LOCKSTEP_MODELS_DIR                folder of real networks beside the checkout: ../shared/models
#   LOCKSTEP_SSD_MODEL                 SSD MobileNetV2-300, uint8, .tflite
#   LOCKSTEP_SSD_LABELS                its labels, "number  name" a line
#   LOCKSTEP_PHOTO                     a photo of four people, JPEG
#   LOCKSTEP_FACES_DIR                 folder of BlazeFace networks (float16) and photos/ of people
#   LOCKSTEP_DIGITS_DIR                folder of handwritten digits, 0.json to 9.json
#   VK_DRIVER_FILES, VK_ICD_FILENAMES  (same value; the second is what older loaders read) the Vulkan
#                                      drivers: all of the system, among them lavapipe, and SwiftShader
#   XDG_CACHE_HOME                     build/cache, only where the user has no writable home

# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

swiftshader_driver="$third_party/vulkan/vk_swiftshader_icd.json"

# export_if_there VARIABLE PATH
export_if_there() {
  if [[ -z "${!1:-}" && -e "$2" ]]; then
    export "$1=$2"
  fi
}

# The drivers the Vulkan loader finds by itself, one a line.
system_vulkan_drivers() {
  local folder driver
  for folder in "${XDG_CONFIG_HOME:-${HOME:-}/.config}" /etc/xdg /usr/local/etc /etc \
    "${XDG_DATA_HOME:-${HOME:-}/.local/share}" /usr/local/share /usr/share; do
    for driver in "$folder"/vulkan/icd.d/*.json; do
      [[ ! -e "$driver" ]] || printf '%s\n' "$driver"
    done
  done
}

# use_vulkan_drivers DRIVER...: unless the user has chosen drivers.
use_vulkan_drivers() {
  [[ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ]] && (($# > 0)) || return 0
  local joined
  joined=$(IFS=: && printf '%s' "$*")
  export VK_DRIVER_FILES="$joined" VK_ICD_FILENAMES="$joined"
}

export_environment() {
  export_if_there LOCKSTEP_TFLITE_LIBRARY "$third_party/tflite-2.9/lib/libtensorflowlite_c.so"
  export_if_there LOCKSTEP_TFLITE_EXTERNAL_DELEGATE "$third_party/tflite-2.9/lib/libexternal_delegate_obj.so"
  export_if_there LOCKSTEP_TFLITE_INCLUDE_DIR "$third_party/tflite-2.9/include"
  export_if_there LOCKSTEP_TFLITE_2_2_LIBRARY "$third_party/tflite-2.2/lib/libtensorflowlite_c.so"
  export_if_there LOCKSTEP_LITERT_JS "$third_party/litert-js"
  export_if_there LOCKSTEP_MODELS_DIR "$(dirname "$repository")/shared/models"
  export_if_there LOCKSTEP_SSD_MODEL "$third_party/demo/ssd_mobilenet_v2_uint8.tflite"
  export_if_there LOCKSTEP_SSD_LABELS "$third_party/demo/coco_labels.txt"
  export_if_there LOCKSTEP_PHOTO "$third_party/faces/photos/sample6.jpg"
  export_if_there LOCKSTEP_FACES_DIR "$third_party/faces"
  export_if_there LOCKSTEP_DIGITS_DIR "$third_party/digits"
  if [[ -z "${XDG_CACHE_HOME:-}" ]] && ! mkdir -p "${HOME:-/nonexistent}/.cache" 2>/dev/null; then
    export XDG_CACHE_HOME="$build_root/cache"
    mkdir -p "$XDG_CACHE_HOME"
  fi
}

# Tests want every device there is, SwiftShader too; the demo wants the system's best one, and
# SwiftShader only where the system has no driver at all.
export_vulkan_drivers_for_tests() {
  local drivers
  mapfile -t drivers < <(system_vulkan_drivers)
  [[ ! -f "$swiftshader_driver" ]] || drivers+=("$swiftshader_driver")
  use_vulkan_drivers "${drivers[@]}"
}

export_vulkan_drivers_for_demo() {
  [[ -n "$(system_vulkan_drivers)" || ! -f "$swiftshader_driver" ]] || use_vulkan_drivers "$swiftshader_driver"
}

# The newer validation layer, checking hazards between dispatches and submissions, inside shaders too.
export_hazard_checks() {
  [[ -f "$third_party/vulkan/VkLayer_khronos_validation.json" ]] ||
    die "the validation layer that checks hazards is not there: scripts/fetch.sh brings it."
  export VK_LAYER_PATH="$third_party/vulkan" VK_LAYER_VALIDATE_SYNC=1
  export VK_LAYER_SYNCVAL_SHADER_ACCESSES_HEURISTIC=1
}
