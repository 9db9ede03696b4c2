#!/usr/bin/env bash
# From a fresh checkout to labelled boxes: installs what is missing, builds, fetches a network and a photo,
# runs the network in TFLite 2.9 through Lockstep's delegate plugin on the best Vulkan device, and tells
# what ran where and why, how long it took, and whether every tensor is bit-exact.
#
# Usage: scripts/demo.sh [PHOTO] [MODEL.tflite] [--labels FILE] [--output FILE] [--no-setup] [--help]
#                        [-- ARGUMENT...]
#        scripts/demo.sh faces [NETWORK] [--output FILE] [--no-setup] [-- ARGUMENT...]
#   faces          quantizes a float face detector with six photos of people, and draws what it and the int8
#                  network see side by side (default: build/demo/faces.png)
#   NETWORK        which one: full_range (default), short_range or full_range_sparse
#   PHOTO          a photo of your own, JPEG, PNG or BMP (default: four people)
#   MODEL.tflite   a detection network of your own (default: SSD MobileNetV2-300, uint8)
#   --labels FILE  the names of its classes, "number  name" a line (default: COCO's, for the default network)
#   --output FILE  where the picture goes (default: build/demo/detections.png)
#   --no-setup     neither install, nor fetch, nor build: run what is there
#   --help         print this text
#   -- ...         further arguments for 'build/bin/lockstep demo' ('build/bin/lockstep demo --help')
#
# A first run takes minutes, mostly compiling; the next ones start in seconds.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/environment.sh"

photo='' model='' labels='' output=''
faces=false
detector=full_range
set_up=true
demo_arguments=()
if [[ "${1:-}" == faces ]]; then
  faces=true
  shift
  case "${1:-}" in
    full_range | short_range | full_range_sparse) detector=$1 && shift ;;
  esac
fi
while (($# > 0)); do
  case "$1" in
    --labels) need_value "$@" && labels=$2 && shift ;;
    --output) need_value "$@" && output=$2 && shift ;;
    --no-setup) set_up=false ;;
    --help | -h) usage "${BASH_SOURCE[0]}" && exit 0 ;;
    --) shift && demo_arguments=("$@") && break ;;
    *.tflite) model=$1 ;;
    [!-]*) photo=$1 ;;
    *) die "Unknown option '$1'." "'scripts/demo.sh --help' lists the options." ;;
  esac
  shift
done
# Said before minutes of building, not after.
for file in "$photo" "$model" "$labels"; do
  [[ -z "$file" || -r "$file" ]] || die "$file cannot be read."
done

if "$set_up"; then
  "$repository/scripts/setup.sh"
  "$repository/scripts/fetch.sh"
  "$repository/scripts/build.sh"
fi
export_environment
export_vulkan_drivers_for_demo
lockstep="$build_root/bin/lockstep"
[[ -x "$lockstep" ]] || die "$lockstep is not there: run without --no-setup."

# Float16 weights in, int8 out, then both networks on the same photos.
if "$faces"; then
  [[ -n "${LOCKSTEP_FACES_DIR:-}" ]] || die "the face detectors are not there: run without --no-setup."
  output=${output:-"$build_root/demo/faces.png"}
  mkdir -p "$(dirname "$output")"
  float_network="$LOCKSTEP_FACES_DIR/${detector}_float16.tflite"
  int8_network="$(dirname "$output")/${detector}_int8.tflite"
  # The output whose logits say how likely a face is: below -10 and above 10 that is 0 or 1 for everybody.
  case "$detector" in
    full_range) logits=reshaped_classifier_face_4 ;;
    short_range) logits=classificators ;;
    full_range_sparse) logits=Identity_1 ;;
  esac
  images=()
  for photo in "$LOCKSTEP_FACES_DIR"/photos/*.jpg; do images+=(--image "$photo"); done
  step "Quantizing the face detector"
  "$lockstep" quantize "$float_network" -o "$int8_network" --data "$LOCKSTEP_FACES_DIR/photos" \
    --resize fit --method mse --equalization full --range "$logits=-10:10"
  step "Looking for faces with both"
  exec "$lockstep" faces "$float_network" "$int8_network" "${images[@]}" --output "$output" "${demo_arguments[@]}"
fi

output=${output:-"$build_root/demo/detections.png"}
mkdir -p "$(dirname "$output")"
if [[ -z "$model" ]]; then
  model=${LOCKSTEP_SSD_MODEL:-} labels=${labels:-${LOCKSTEP_SSD_LABELS:-}}
fi
photo=${photo:-${LOCKSTEP_PHOTO:-}}
[[ -n "$model" && -n "$photo" ]] || die "the network or the photo is not there: run without --no-setup."
[[ -z "$labels" ]] || demo_arguments=(--labels "$labels" "${demo_arguments[@]}")

step "Running the demo"
"$lockstep" demo --model "$model" --image "$photo" --output "$output" "${demo_arguments[@]}"
