#!/usr/bin/env bash
# Compares `lockstep quantize` with TensorFlow's converter: quantizes float networks whose official int8
# files are known, and measures how far both are from the float network on inputs that neither has seen.
# Prints a Markdown table (docs/quantization.md shows it), and exits with 1 where ours is worse.
#
# Usage: scripts/quantization_accuracy.sh [--inputs N] [--seed N] [--help] [-- ARGUMENT...]
#   --inputs N  how many test inputs (default: 500)
#   --seed N    which of them (default: 2)
#   --help      print this text
#   -- ...      further arguments for 'build/bin/lockstep quantize', such as '-- --method mse'
#
# The networks are those in $LOCKSTEP_MODELS_DIR (default: ../shared/models); photos lie beside, in ../images.
# Photo networks are calibrated on crops of two photos and tested on crops of a third. Where there are no
# data of a network's kind, inputs are drawn from the range of the official file's input. What was written
# stays in build/quantization_accuracy/. It takes some minutes.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/environment.sh"

inputs=500
seed=2
quantize_arguments=()
while (($# > 0)); do
  case "$1" in
    --inputs) need_value "$@" && inputs=$2 && shift ;;
    --seed) need_value "$@" && seed=$2 && shift ;;
    --help | -h) usage "${BASH_SOURCE[0]}" && exit 0 ;;
    --) shift && quantize_arguments=("$@") && break ;;
    *) die "Unknown option '$1'." "'scripts/quantization_accuracy.sh --help' lists the options." ;;
  esac
  shift
done
[[ "$inputs" =~ ^[1-9][0-9]*$ ]] || die "--inputs takes a number, and not '$inputs'."
[[ "$seed" =~ ^[0-9]+$ ]] || die "--seed takes a number, and not '$seed'."

export_environment
lockstep="$build_root/bin/lockstep"
[[ -x "$lockstep" ]] || die "$lockstep is not there." "Build it with scripts/build.sh."
models=${LOCKSTEP_MODELS_DIR:-}
[[ -n "$models" ]] ||
  die "There are no networks to compare: $(dirname "$repository")/shared/models is not there." \
    "LOCKSTEP_MODELS_DIR names another folder that holds them."
photos="$(dirname "$models")/images"
for file in "$models"/{resnet8_cifar10_{float32,int8},vww_mobilenet_v1_025_96_{float32,int8}}.tflite \
  "$models"/{ad01_autoencoder_{float32,int8},kws_dscnn_{dynamic_range,int8}}.tflite \
  "$photos"/{cat,bird,grace_hopper}.bmp; do
  [[ -r "$file" ]] || die "$file cannot be read."
done
# A Python of the user's own, or the one that Debian's python3-numpy belongs to.
python=''
for candidate in python3 /usr/bin/python3; do
  if "$candidate" -c 'import numpy' 2>/dev/null; then python=$candidate && break; fi
done
[[ -n "$python" ]] || die "There is no Python with numpy." "scripts/setup.sh installs python3-numpy."
helper="$repository/scripts/lib/quantization_accuracy.py"

work="$build_root/quantization_accuracy"
mkdir -p "$work"
calibration_seed=1
calibration_crops=300
calibration_inputs=200
rows=()

# measure NETWORK FLOAT REFERENCE OFFICIAL: FLOAT is quantized, and REFERENCE is the float network that both
# int8 files are compared with. Uses the arrays `calibration` and `test`, arguments that say which data.
measure() {
  local network=$1 float=$2 reference=$3 official=$4
  local ours="$work/$network.tflite"
  step "$network" >&2
  "$lockstep" quantize "$float" -o "$ours" "${calibration[@]}" "${quantize_arguments[@]}" >"$work/$network.txt"
  "$lockstep" compare "$reference" "$official" "${test[@]}" --json >"$work/$network.official.json"
  "$lockstep" compare "$reference" "$ours" "${test[@]}" --json >"$work/$network.ours.json"
  rows+=("$network" "$work/$network.official.json" "$work/$network.ours.json")
}

# with_photos ARGUMENT...: data are crops of photos; the arguments say what becomes of the pixels.
with_photos() {
  calibration=(--data "$photos/cat.bmp" --data "$photos/bird.bmp" --crops "$calibration_crops"
    --seed "$calibration_seed" "$@")
  test=(--data "$photos/grace_hopper.bmp" --crops "$inputs" --seed "$seed" "$@")
}

# with_drawn_inputs OFFICIAL: data are drawn from the range of that file's input.
with_drawn_inputs() {
  local description="$work/official.json"
  "$lockstep" inspect "$1" --device ref --json >"$description"
  "$python" "$helper" draw "$description" "$calibration_inputs" "$calibration_seed" "$work/calibration.npy"
  "$python" "$helper" draw "$description" "$inputs" "$seed" "$work/test.npy"
  calibration=(--data "$work/calibration.npy")
  test=(--data "$work/test.npy")
}

# Pixels as they are.
with_photos --mean 0 --std 1
measure ResNet8 "$models"/resnet8_cifar10_{float32,float32,int8}.tflite

# Pixels from 0 to 1.
with_photos --mean 0 --std 255
measure VWW "$models"/vww_mobilenet_v1_025_96_{float32,float32,int8}.tflite

with_drawn_inputs "$models/ad01_autoencoder_int8.tflite"
measure AD01 "$models"/ad01_autoencoder_{float32,float32,int8}.tflite

# The kernels of a dynamic-range file quantize activations themselves: float is the same with its weights
# as float16.
with_drawn_inputs "$models/kws_dscnn_int8.tflite"
"$lockstep" quantize "$models/kws_dscnn_dynamic_range.tflite" -o "$work/KWS.float16.tflite" --mode float16 \
  >"$work/KWS.float16.txt"
measure KWS "$models/kws_dscnn_dynamic_range.tflite" "$work/KWS.float16.tflite" "$models/kws_dscnn_int8.tflite"

"$python" "$helper" table "${rows[@]}"
