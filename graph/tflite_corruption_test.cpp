// A damaged file must give an error or a graph that can be believed, and nothing else: no crash, no
// hang, no read outside the bytes (run it under the address and undefined-behaviour sanitizers).
// The damage is drawn from a seeded generator, so that a failure can be repeated.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>

#include "graph/editable_model.h"
#include "graph/graph.h"
#include "graph/lowering.h"
#include "graph/testing/sample_graphs.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_tensors.h"
#include "graph/tflite_writer.h"

namespace lockstep::graph {
namespace {

using Bytes = std::vector<std::byte>;

struct Outcome {
  int accepted = 0;
  int refused = 0;
};

// Whatever can be edited can be written, and read again.
void survive_editing(std::span<const std::byte> damaged) {
  const auto model = read_editable_model(damaged, "damaged.tflite");
  if (!model) {
    ASSERT_TRUE(model.error().message.starts_with("damaged.tflite: ")) << model.error().message;
    return;
  }
  const auto written = write_editable_model(*model);
  ASSERT_TRUE(written) << written.error().message;
  const auto again = read_editable_model(*written, "again");
  ASSERT_TRUE(again) << again.error().message;
  for (const auto& tensor : model->tree.subgraphs[0]->tensors) {
    (void)read_tensor(model->tree, *tensor);
  }
}

// Reads the bytes from memory of exactly their size, so that a sanitizer sees a read behind them.
void survive(std::span<const std::byte> damaged, Outcome& outcome) {
  const auto exact = std::make_shared<const Bytes>(damaged.begin(), damaged.end());
  auto graph = read_tflite(*exact, "damaged.tflite", exact);
  if (!graph) {
    ++outcome.refused;
    ASSERT_TRUE(graph.error().code == ErrorCode::kInvalidModel ||
                graph.error().code == ErrorCode::kUnsupported);
    ASSERT_TRUE(graph.error().message.starts_with("damaged.tflite: ")) << graph.error().message;
  } else {
    ++outcome.accepted;
    const Status status = validate(*graph);
    ASSERT_TRUE(status) << status.error().message;
    const auto contract = numerics::kAllContracts[static_cast<size_t>(outcome.accepted) % 4];
    for (size_t i = 0; i < graph->operators.size(); ++i) {
      ASSERT_GE(multiply_accumulates(*graph, graph->operators[i]), 0);
      const auto lowered = lower_operator(*graph, i, contract);
      ASSERT_TRUE(lowered || lowered.error().code == ErrorCode::kUnsupported)
          << lowered.error().message;
    }
    if (const auto written = write_tflite(*graph)) {
      const auto again = read_tflite(*written, "again");
      ASSERT_TRUE(again) << again.error().message;
    }
    for (const int32_t input : graph->inputs) {
      Shape shape = graph->tensors[static_cast<size_t>(input)].shape;
      if (!shape.empty()) shape[0] = 3;
      if (resize_input(*graph, input, shape)) {
        ASSERT_TRUE(validate(*graph));
      }
    }
  }
  if (const auto exposed = expose_all_tensors(*exact)) {
    (void)read_tflite(*exposed, "exposed");
  }
  survive_editing(*exact);
}

class Damage {
 public:
  explicit Damage(Bytes original) : original_(std::move(original)) {}

  const Bytes& original() const { return original_; }

  Bytes flip_bits() {
    Bytes bytes = original_;
    for (size_t flips = 1 + below(6); flips > 0; --flips) {
      bytes[below(bytes.size())] ^= std::byte{1} << below(8);
    }
    return bytes;
  }

  // Offsets, lengths and indices are 32-bit words: these values are what breaks a reader.
  Bytes overwrite_word() {
    const uint32_t words[] = {0,
                              1,
                              2,
                              0x7f,
                              0x80,
                              0xffff,
                              0x10000,
                              0x7fffffff,
                              0x80000000u,
                              0xfffffffcu,
                              0xffffffffu,
                              static_cast<uint32_t>(original_.size()),
                              static_cast<uint32_t>(below(original_.size())),
                              static_cast<uint32_t>(0u - below(original_.size()))};
    Bytes bytes = original_;
    const uint32_t word = words[below(std::size(words))];
    std::memcpy(bytes.data() + below(bytes.size() / 4) * 4, &word, sizeof(word));
    return bytes;
  }

  // Copies one part of the file over another: tables appear where others are expected.
  Bytes splice() {
    Bytes bytes = original_;
    const size_t length = 4 * (1 + below(8));
    const size_t from = 4 * below((bytes.size() - length) / 4);
    const size_t to = 4 * below((bytes.size() - length) / 4);
    std::memcpy(bytes.data() + to, original_.data() + from, length);
    return bytes;
  }

 private:
  size_t below(size_t limit) { return static_cast<size_t>(generator_() % limit); }

  Bytes original_;
  std::mt19937_64 generator_{20240607};
};

void batter(Damage& damage, int rounds, Outcome& outcome) {
  for (int i = 0; i < rounds && !::testing::Test::HasFatalFailure(); ++i) {
    survive(damage.flip_bits(), outcome);
    survive(damage.overwrite_word(), outcome);
    survive(damage.splice(), outcome);
  }
}

TEST(TfliteCorruption, EveryTruncationIsRefused) {
  const Bytes bytes = write_tflite(testing::sample_network()).value();
  Outcome outcome;
  for (size_t size = 0; size < bytes.size() && !HasFatalFailure(); ++size) {
    survive(std::span(bytes).first(size), outcome);
  }
  EXPECT_EQ(outcome.accepted, 0);
}

TEST(TfliteCorruption, DamagedSamplesAreSurvived) {
  Outcome outcome;
  for (const Graph& graph : testing::sample_graphs()) {
    SCOPED_TRACE(graph.name);
    Damage damage(write_tflite(graph).value());
    batter(damage, 800, outcome);
  }
  EXPECT_GT(outcome.refused, 1000) << "the damage hardly reaches the structure";
  EXPECT_GT(outcome.accepted, 1000) << "the damage never gets past the verifier";
}

TEST(TfliteCorruption, DamagedNetworkIsSurvived) {
  Damage damage(write_tflite(testing::sample_network()).value());
  Outcome outcome;
  batter(damage, 8000, outcome);
  EXPECT_GT(outcome.refused, 1000);
  EXPECT_GT(outcome.accepted, 1000);
}

TEST(TfliteCorruption, DamagedRealNetworksAreSurvived) {
  constexpr size_t kLargestUsed = 400'000;  // each attempt copies the file
  const std::filesystem::path folder = LOCKSTEP_MODELS_DIR;
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << folder << " is absent";
  Outcome outcome;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".tflite" || entry.file_size() > kLargestUsed) continue;
    SCOPED_TRACE(entry.path());
    Damage damage(read_file_bytes(entry.path()).value());
    batter(damage, 30, outcome);
    const Bytes& bytes = damage.original();
    for (size_t part = 0; part < 16; ++part) {
      survive(std::span(bytes).first(bytes.size() * part / 16), outcome);
    }
  }
  EXPECT_GT(outcome.refused, 0);
}

}  // namespace
}  // namespace lockstep::graph
