// Real face detectors with float16 weights become int8 and see the same faces: `lockstep quantize`,
// `verify` and `faces` one after the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tools/testing/command_test.h"

namespace lockstep::tools {
namespace {

namespace fs = std::filesystem;
using testing::lockstep;
using testing::Outcome;

struct FaceNetwork {
  const char* name;
  const char* logits;  // the output that holds them
  // The int8 file by the float16 one. Of the short-range network's int8 file a third is no weights:
  // scales of weights and biases, zero points, names (docs/performance.md).
  double largest_size;
};

class FacesCommand : public testing::CommandTest,
                     public ::testing::WithParamInterface<FaceNetwork> {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    const char* folder = std::getenv("LOCKSTEP_FACES_DIR");
    if (folder == nullptr) GTEST_SKIP() << "LOCKSTEP_FACES_DIR is unset";
    if (std::getenv("LOCKSTEP_TFLITE_LIBRARY") == nullptr) {
      GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is unset";
    }
    networks_ = folder;
  }

  std::string float_network() const {
    return (networks_ / (std::string(GetParam().name) + "_float16.tflite")).string();
  }

  Outcome quantize(const std::string& arguments) const {
    return lockstep("quantize " + float_network() + " -o " + path("int8.tflite") + " --data " +
                    (networks_ / "photos").string() +
                    " --resize fit --method mse --equalization full --compared-samples 0 " +
                    arguments);
  }

  Outcome look_for_faces(const std::string& arguments) const {
    std::string images;
    for (const auto& entry : fs::directory_iterator(networks_ / "photos")) {
      images += " --image " + entry.path().string();
    }
    return lockstep("faces " + float_network() + " " + path("int8.tflite") + images + " --output " +
                    path("faces.png") + " " + arguments);
  }

  fs::path networks_;
};

TEST_P(FacesCommand, TheInt8NetworkSeesTheSameFacesInOnePartition) {
  // Below -10 and above 10 a score is 0 or 1 for everybody.
  const Outcome quantized = quantize(std::string("--range ") + GetParam().logits + "=-10:10");
  ASSERT_EQ(quantized.exit_code, 0) << quantized.text;
  const auto bytes = [](const std::string& file) {
    return static_cast<double>(fs::file_size(file));
  };
  EXPECT_LE(bytes(path("int8.tflite")) / bytes(float_network()), GetParam().largest_size);

  const Outcome verified =
      lockstep("verify " + path("int8.tflite") + " --json > " + path("verified.json"));
  EXPECT_EQ(verified.exit_code, 0) << verified.text;
  const auto verification = read_json("verified.json");
  EXPECT_TRUE(verification["exact"]);
  const auto& subgraph = verification["placement"]["subgraphs"].front();
  EXPECT_GE(subgraph["nodes"].size(), 73u);
  for (const auto& node : subgraph["nodes"]) EXPECT_EQ(node["partition"], 0) << node.dump();

  const Outcome faces = look_for_faces("--json > " + path("faces.json"));
  EXPECT_EQ(faces.exit_code, 0) << faces.text;
  const auto result = read_json("faces.json");
  EXPECT_GE(result["faces"], 15);
  EXPECT_EQ(result["same_faces"], result["faces"]);
  EXPECT_EQ(result["faces_of_the_quantized_network_alone"], 0);
  EXPECT_TRUE(exists("faces.png"));
}

// So that "the same faces" is no empty promise.
class OtherFacesCommand : public FacesCommand {};

TEST_P(OtherFacesCommand, ANetworkThatSeesOtherFacesIsToldApart) {
  const Outcome quantized = quantize(std::string("--range ") + GetParam().logits + "=-10:0.1");
  ASSERT_EQ(quantized.exit_code, 0) << quantized.text;
  const Outcome faces = look_for_faces("--minimum-score 0.6");
  EXPECT_EQ(faces.exit_code, 1) << faces.text;
  EXPECT_THAT(faces.text, ::testing::HasSubstr("not found"));
}

constexpr FaceNetwork kShortRange{"short_range", "classificators", 0.66};
constexpr FaceNetwork kFullRange{"full_range", "reshaped_classifier_face_4", 0.6};
constexpr FaceNetwork kFullRangeSparse{"full_range_sparse", "Identity_1", 1.0};

INSTANTIATE_TEST_SUITE_P(ShortRange, OtherFacesCommand, ::testing::Values(kShortRange));
INSTANTIATE_TEST_SUITE_P(BlazeFace, FacesCommand,
                         ::testing::Values(kShortRange, kFullRange, kFullRangeSparse),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace lockstep::tools
