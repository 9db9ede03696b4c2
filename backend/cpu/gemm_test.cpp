// Every kernel of every instruction set of this processor against plain sums.
#include "backend/cpu/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "backend/cpu/gemm_kernels.h"
#include "backend/cpu/operation.h"
#include "backend/cpu/panels.h"
#include "backend/cpu/testing/operation_runs.h"

namespace lockstep::backend::cpu {
namespace {

constexpr int32_t kCanary = 0x5a5a5a5a;

// Those that gemm_kernel() chooses for few rows and for many, and those that others took over from.
std::vector<const GemmKernel*> all_kernels() {
  std::vector<const GemmKernel*> kernels;
  for (const Isa isa : executable_isas()) {
    for (const GemmKernel* kernel :
         {&pairs_kernel(isa), &gemm_kernel(isa, 1, 64), &gemm_kernel(isa, 1000, 64)}) {
      if (std::ranges::find(kernels, kernel) == kernels.end()) kernels.push_back(kernel);
    }
  }
  return kernels;
}

enum class Contents : uint8_t {
  kMixed,
  kLargestProducts,   // 255 * 127
  kSmallestProducts,  // 255 * -128
};

// Matrices for one kernel and depth, in memory that ends where they end.
class Product {
 public:
  Product(const GemmKernel& kernel, size_t depth, Contents contents)
      : kernel_(kernel), depth_(depth), contents_(contents) {
    const auto elements = static_cast<int64_t>(channels() * depth);
    weights_ = testing::random_values(elements, static_cast<uint32_t>(depth));
    if (contents == Contents::kLargestProducts) std::ranges::fill(weights_, int8_t{127});
    if (contents == Contents::kSmallestProducts) std::ranges::fill(weights_, int8_t{-128});
    panels_ = Panels(kernel, weights_, channels(), depth);
    fill_rows();
    for (size_t row = 0; row < most_rows(); ++row) {
      for (size_t channel = 0; channel < channels(); ++channel) {
        int32_t sum = 0;
        for (size_t k = 0; k < depth; ++k) {
          sum += (row_value(row, k) - kernel.row_offset) * weights_[channel * depth + k];
        }
        sums_.push_back(sum);
      }
    }
  }

  size_t most_rows() const { return static_cast<size_t>(kernel_.tile_rows); }
  size_t most_panels() const { return static_cast<size_t>(kernel_.tile_panels); }

  // So many rows by the panels from `first_panel` on.
  void expect_sums(size_t rows, size_t first_panel, size_t panels) const {
    const auto panel_channels = static_cast<size_t>(kernel_.panel_channels);
    const size_t columns = panels * panel_channels;
    std::vector<int32_t> sums(rows * columns + 1, kCanary);
    kernel_.accumulate(rows_.data(), row_stride(), rows, panels_.panel(first_panel),
                       panels_.panel_bytes(), panels, panels_.depth(), sums.data());
    EXPECT_EQ(sums.back(), kCanary);
    for (size_t row = 0; row < rows; ++row) {
      ASSERT_TRUE(std::ranges::equal(
          std::span(sums).subspan(row * columns, columns),
          std::span(sums_).subspan(row * channels() + first_panel * panel_channels, columns)))
          << isa_name(kernel_.isa) << ", depth " << depth_ << ", row " << row << " of " << rows
          << ", panels " << first_panel << " to " << first_panel + panels;
    }
  }

 private:
  size_t channels() const { return most_panels() * static_cast<size_t>(kernel_.panel_channels); }
  size_t element_bytes() const { return kernel_.takes_words ? sizeof(uint16_t) : 1; }
  size_t row_stride() const { return (panels_.depth() + 3) * element_bytes(); }

  uint8_t row_value(size_t row, size_t k) const {
    if (contents_ != Contents::kMixed) return 255;
    return static_cast<uint8_t>(k % 5 == 0 ? 255 : row * 37 + k * 101);
  }

  // What is behind a row's depth, up to the panels', counts for nothing.
  void fill_rows() {
    rows_.assign((most_rows() - 1) * row_stride() + panels_.depth() * element_bytes(), kBehind);
    for (size_t row = 0; row < most_rows(); ++row) {
      for (size_t k = 0; k < depth_; ++k) {
        std::byte* to = rows_.data() + row * row_stride() + k * element_bytes();
        const uint16_t word = row_value(row, k);
        if (kernel_.takes_words) {
          std::memcpy(to, &word, sizeof(word));
        } else {
          *to = static_cast<std::byte>(word);
        }
      }
    }
  }

  static constexpr std::byte kBehind{0x77};

  const GemmKernel& kernel_;
  size_t depth_;
  Contents contents_;
  std::vector<int8_t> weights_;
  Panels panels_;
  std::vector<std::byte> rows_;
  std::vector<int32_t> sums_;
};

// Inside enter() and leave().
void with_kernel(const GemmKernel& kernel, const auto& function) {
  if (kernel.enter != nullptr) kernel.enter();
  function();
  if (kernel.leave != nullptr) kernel.leave();
}

TEST(GemmKernels, SumForAnyRowsPanelsAndDepth) {
  for (const GemmKernel* kernel : all_kernels()) {
    for (size_t depth = 1; depth <= 130; ++depth) {
      const Product product(*kernel, depth, Contents::kMixed);
      with_kernel(*kernel, [&] {
        for (size_t rows = 1; rows <= product.most_rows(); ++rows) {
          for (size_t panels = 1; panels <= product.most_panels(); ++panels) {
            product.expect_sums(rows, product.most_panels() - panels, panels);
          }
        }
      });
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(GemmKernels, SaturateNowhere) {
  for (const GemmKernel* kernel : all_kernels()) {
    for (const Contents contents : {Contents::kLargestProducts, Contents::kSmallestProducts}) {
      const Product product(*kernel, 3001, contents);
      with_kernel(*kernel, [&] {
        product.expect_sums(product.most_rows(), 0, product.most_panels());
        product.expect_sums(1, 0, 1);
      });
    }
  }
}

TEST(GemmKernels, AreWhatTheirInstructionSetExecutes) {
  for (const Isa isa : executable_isas()) {
    for (const int64_t rows : {1, 15, 16, 1000}) {
      const GemmKernel& kernel = gemm_kernel(isa, rows, 64);
      EXPECT_LE(kernel.isa, isa);
      // Slack behind a tensor covers what is read beyond its last row.
      EXPECT_LE(kernel.panel_depth, kReadSlack);
      EXPECT_EQ(kernel.panel_depth % kernel.depth_block, 0);
      EXPECT_LE(kernel.panel_channels * kernel.tile_panels, static_cast<int32_t>(kConstantPadding));
    }
  }
}

}  // namespace
}  // namespace lockstep::backend::cpu
