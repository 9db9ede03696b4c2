#include "backend/cpu/panels.h"

#include <gtest/gtest.h>

#include "backend/cpu/testing/operation_runs.h"

namespace lockstep::backend::cpu {
namespace {

struct Layout {
  size_t depth_block, panel_depth, panel_channels;
};

// panel[k / depth_block][channel][k % depth_block], read back one weight after another.
TEST(Panels, HoldEveryWeightWhereTheKernelLooksForIt) {
  for (const Layout& layout : {Layout{1, 1, 1}, Layout{2, 2, 4}, Layout{4, 4, 16},
                               Layout{4, 64, 16}, Layout{4, 16, 8}, Layout{8, 8, 8}}) {
    const GemmKernel kernel{.depth_block = static_cast<int32_t>(layout.depth_block),
                            .panel_depth = static_cast<int32_t>(layout.panel_depth),
                            .panel_channels = static_cast<int32_t>(layout.panel_channels)};
    for (const size_t channels : {1, 4, 7, 16, 17, 33}) {
      for (const size_t depth : {1, 2, 3, 8, 63, 64, 65}) {
        std::vector<int8_t> weights =
            testing::random_values(static_cast<int64_t>(channels * depth), 1);
        const Panels panels(kernel, weights, channels, depth);
        ASSERT_EQ(panels.depth() % layout.panel_depth, 0u);
        ASSERT_GE(panels.depth(), depth);
        ASSERT_LT(panels.depth(), depth + layout.panel_depth);
        ASSERT_GE(panels.count() * layout.panel_channels, channels);
        ASSERT_LT((panels.count() - 1) * layout.panel_channels, channels);
        ASSERT_EQ(panels.panel_bytes(), panels.depth() * layout.panel_channels);
        ASSERT_GE(panels.bytes(), static_cast<int64_t>(panels.count() * panels.panel_bytes()));
        for (size_t channel = 0; channel < panels.count() * layout.panel_channels; ++channel) {
          const int8_t* panel = panels.panel(channel / layout.panel_channels);
          for (size_t k = 0; k < panels.depth(); ++k) {
            const int8_t* block =
                panel + k / layout.depth_block * layout.depth_block * layout.panel_channels;
            const int8_t stored = block[channel % layout.panel_channels * layout.depth_block +
                                        k % layout.depth_block];
            const bool is_weight = channel < channels && k < depth;
            ASSERT_EQ(stored, is_weight ? weights[channel * depth + k] : 0)
                << "channel " << channel << " of " << channels << ", k " << k << " of " << depth;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace lockstep::backend::cpu
