// CONV_2D and FULLY_CONNECTED as an implicit matrix product: of [output pixels][taps x channels] by
// packed weights. Of the left matrix only the rows of a tile exist at a time; where the window is
// one pixel they are the input itself.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "backend/cpu/centered_weights.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/integer_division.h"
#include "backend/cpu/operations.h"
#include "backend/cpu/panels.h"
#include "backend/cpu/patches.h"

namespace lockstep::backend::cpu {
namespace {

constexpr size_t aligned(size_t bytes) { return round_up(bytes, static_cast<size_t>(kAlignment)); }

class Convolution final : public Operation {
 public:
  Convolution(const graph::LoweredConvolution& convolution, const Target& target)
      : input_(convolution.input),
        output_(convolution.output),
        groups_(convolution.groups),
        output_channels_(static_cast<size_t>(convolution.output_extent.channels)),
        group_outputs_(output_channels_ / static_cast<size_t>(groups_)),
        input_channels_(static_cast<size_t>(convolution.input_extent.channels)),
        patches_(convolution),
        kernel_(gemm_kernel(target.isa, patches_.count(), static_cast<int64_t>(patches_.depth()))),
        tile_kernels_(gemm_tile_kernels(target.isa)) {
    const CenteredWeights weights =
        center_weights(convolution.weights, convolution.weights_zero_points, patches_.depth());
    row_factors_ = weights.row_factors;
    if (!row_factors_.empty()) row_factors_.resize(row_factors_.size() + kConstantPadding);
    requantization_ = make_requantization(
        convolution.output_stage,
        byte_domain_bias(convolution.bias, weights, convolution.input_zero_point,
                         kernel_.row_offset),
        accumulator_ranges(convolution.bias, weights, convolution.input_zero_point));
    const size_t group_weights = group_outputs_ * patches_.depth();
    for (int32_t group = 0; group < groups_; ++group) {
      panels_.emplace_back(kernel_,
                           std::span(weights.stored)
                               .subspan(static_cast<size_t>(group) * group_weights, group_weights),
                           group_outputs_, patches_.depth());
    }
    plan_tasks(target);
  }

  std::string variant() const override {
    return fmt::format("{} {}", patches_.is_input() ? "convolution 1x1" : "convolution",
                       isa_name(kernel_.isa));
  }

  int64_t constant_bytes() const override {
    int64_t bytes = requantization_.constant_bytes() +
                    static_cast<int64_t>(row_factors_.size() * sizeof(int32_t));
    for (const Panels& panels : panels_) bytes += panels.bytes();
    return bytes;
  }

  int64_t scratch_bytes() const override { return static_cast<int64_t>(scratch_layout().bytes); }

  int64_t tasks() const override { return tasks_; }

  void run(int64_t task, TensorMemory tensors, std::byte* scratch) const override {
    const Range units = part(tile_count() * panel_steps(), tasks_, task);
    if (kernel_.enter != nullptr) kernel_.enter();
    for (int32_t group = 0; group < groups_; ++group) {
      for (int64_t unit = units.begin; unit < units.end;) {
        const int64_t tile = unit / panel_steps();
        const int64_t first = tile * panel_steps();
        const int64_t end = std::min(units.end, first + panel_steps());
        run_tile(group, tile, {unit - first, end - first}, tensors, scratch);
        unit = end;
      }
    }
    if (kernel_.leave != nullptr) kernel_.leave();
  }

 private:
  // Offsets in scratch memory.
  struct ScratchLayout {
    size_t accumulators = 0;
    size_t row_sums = 0;
    size_t patches = 0;
    size_t words = 0;
    size_t bytes = 0;
  };
  // The left matrix of a tile.
  struct Rows {
    const void* data;
    size_t stride;  // in bytes
  };

  int64_t tile_count() const { return divide_up<int64_t>(patches_.count(), kernel_.tile_rows); }

  // Steps over the panels of a tile of rows. A step of a tile is a unit of work, and a task a
  // number of neighbouring units: a batch of one row is cut by its channels.
  int64_t panel_steps() const {
    return divide_up<int64_t>(static_cast<int64_t>(panels_.front().count()), kernel_.tile_panels);
  }

  // Bytes from a patch in scratch memory to the next one.
  size_t patch_stride() const { return aligned(panels_.front().depth() + kPatchSlack); }

  ScratchLayout scratch_layout() const {
    const auto rows = static_cast<size_t>(kernel_.tile_rows);
    ScratchLayout layout;
    layout.row_sums = aligned(rows * static_cast<size_t>(kernel_.tile_panels) *
                              static_cast<size_t>(kernel_.panel_channels) * sizeof(int32_t));
    layout.patches = layout.row_sums + aligned(rows * sizeof(int32_t));
    layout.words = layout.patches + (patches_.is_input() ? 0 : rows * patch_stride());
    layout.bytes =
        layout.words + (kernel_.takes_words ? rows * patch_stride() * sizeof(uint16_t) : 0);
    return layout;
  }

  void plan_tasks(const Target& target) {
    const double products = static_cast<double>(patches_.count()) *
                            static_cast<double>(patches_.depth() * output_channels_);
    const auto outputs =
        static_cast<double>(patches_.count()) * static_cast<double>(output_channels_);
    const auto weights = static_cast<double>(panels_.front().bytes() * groups_);
    // Weights come from memory; each row passes over them in the cache.
    constexpr double kBytesPerNanosecond = 20;
    const double nanoseconds =
        std::max(products / products_per_nanosecond(kernel_.isa), weights / kBytesPerNanosecond) +
        outputs * 0.3;
    tasks_ = task_count(tile_count() * panel_steps(), nanoseconds, target);
  }

  Rows prepare_rows(int32_t group, int64_t first, size_t count, TensorMemory tensors,
                    std::byte* scratch) const {
    const auto* input = elements<const uint8_t>(tensors, input_);
    Rows rows;
    if (patches_.is_input()) {
      rows = {input + static_cast<size_t>(first) * input_channels_ +
                  static_cast<size_t>(group) * patches_.depth(),
              input_channels_};
    } else {
      auto* patches = reinterpret_cast<uint8_t*>(scratch + scratch_layout().patches);
      patches_.copy(input, first, count, group, patches, patch_stride());
      rows = {patches, patch_stride()};
    }
    if (!row_factors_.empty()) {
      auto* sums = reinterpret_cast<int32_t*>(scratch + scratch_layout().row_sums);
      for (size_t r = 0; r < count; ++r) {
        sums[r] = tile_kernels_.sum_bytes(static_cast<const uint8_t*>(rows.data) + r * rows.stride,
                                          patches_.depth());
      }
    }
    if (!kernel_.takes_words) return rows;
    auto* words = reinterpret_cast<uint16_t*>(scratch + scratch_layout().words);
    for (size_t r = 0; r < count; ++r) {
      tile_kernels_.widen(static_cast<const uint8_t*>(rows.data) + r * rows.stride,
                          panels_.front().depth(), words + r * patch_stride());
    }
    return {words, patch_stride() * sizeof(uint16_t)};
  }

  void run_tile(int32_t group, int64_t tile, Range steps, TensorMemory tensors,
                std::byte* scratch) const {
    const int64_t first = tile * kernel_.tile_rows;
    const auto count =
        static_cast<size_t>(std::min<int64_t>(kernel_.tile_rows, patches_.count() - first));
    const Rows rows = prepare_rows(group, first, count, tensors, scratch);
    const Panels& weights = panels_[static_cast<size_t>(group)];
    const auto panel_channels = static_cast<size_t>(kernel_.panel_channels);
    auto* accumulators = reinterpret_cast<int32_t*>(scratch);
    const int32_t* row_sums =
        row_factors_.empty()
            ? nullptr
            : reinterpret_cast<const int32_t*>(scratch + scratch_layout().row_sums);
    const size_t first_row = static_cast<size_t>(first) * output_channels_;
    for (int64_t step = steps.begin; step < steps.end; ++step) {
      const int64_t panel = step * kernel_.tile_panels;
      const auto at_once = static_cast<size_t>(
          std::min<int64_t>(kernel_.tile_panels, static_cast<int64_t>(weights.count()) - panel));
      kernel_.accumulate(rows.data, rows.stride, count, weights.panel(static_cast<size_t>(panel)),
                         weights.panel_bytes(), at_once, weights.depth(), accumulators);
      const size_t group_channel = static_cast<size_t>(panel) * panel_channels;
      const size_t channel = static_cast<size_t>(group) * group_outputs_ + group_channel;
      const size_t channels = std::min(at_once * panel_channels, group_outputs_ - group_channel);
      const auto finish = [&](auto function, auto* output) {
        function(requantization_, channel, accumulators, at_once * panel_channels, count, channels,
                 row_sums, row_factors_.data(), output + first_row + channel, output_channels_);
      };
      if (requantization_.form == ScaleForm::kNone) {
        finish(tile_kernels_.store_sums, elements<int32_t>(tensors, output_));
      } else {
        finish(tile_kernels_.requantize, elements<uint8_t>(tensors, output_));
      }
    }
  }

  int32_t input_;
  int32_t output_;
  int32_t groups_;
  size_t output_channels_;
  size_t group_outputs_;
  size_t input_channels_;
  Patches patches_;
  const GemmKernel& kernel_;
  const GemmTileKernels& tile_kernels_;
  std::vector<Panels> panels_;        // of each group
  std::vector<int32_t> row_factors_;  // of each channel, padded; empty: there are none
  Requantization requantization_;
  int64_t tasks_ = 1;
};

}  // namespace

OperationPointer make_operation(const graph::LoweredConvolution& convolution,
                                const Target& target) {
  return std::make_unique<Convolution>(convolution, target);
}

}  // namespace lockstep::backend::cpu
