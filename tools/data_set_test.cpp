#include "tools/data_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "tools/image.h"
#include "tools/npz.h"

namespace lockstep::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

graph::Tensor input_of(const std::string& name, graph::DataType type, graph::Shape shape) {
  graph::Tensor tensor;
  tensor.name = name;
  tensor.type = type;
  tensor.shape = std::move(shape);
  return tensor;
}

graph::Graph network_of(const std::vector<graph::Tensor>& inputs) {
  graph::Graph graph;
  graph.name = "network";
  graph.tensors = inputs;
  for (size_t i = 0; i < inputs.size(); ++i) graph.inputs.push_back(static_cast<int32_t>(i));
  return graph;
}

graph::Graph network_of(graph::DataType type, graph::Shape shape) {
  return network_of({input_of("x", type, std::move(shape))});
}

template <typename T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

template <typename T>
std::vector<T> values_of(const std::vector<std::byte>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

NumberArray floats(ArrayShape shape, const std::vector<float>& values) {
  return {.type = NumberType::kFloat32, .shape = std::move(shape), .data = bytes_of(values)};
}

// 0, 1, 2, ...
NumberArray ramp(ArrayShape shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i));
  return floats(std::move(shape), values);
}

class DataSet : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("lockstep_data_set_test_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::string save(const std::string& name, const NumberArray& array) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    EXPECT_TRUE(write_npy(array, path(name)));
    return path(name);
  }
  std::string save(const std::string& name, const std::vector<std::byte>& bytes) const {
    std::ofstream(path(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return path(name);
  }
  // A picture of one colour.
  std::string save(const std::string& name, Color color, int32_t width, int32_t height) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    Image image{.width = width, .height = height, .pixels = {}};
    for (int32_t i = 0; i < width * height; ++i) {
      image.pixels.insert(image.pixels.end(), color.begin(), color.end());
    }
    EXPECT_TRUE(write_png(image, path(name)));
    return path(name);
  }

  std::filesystem::path folder_;
};

quantization::SampleSource opened(const graph::Graph& graph, const DataOptions& options) {
  const auto source = open_data_set(graph, options);
  EXPECT_TRUE(source) << source.error().message;
  return source ? *source : quantization::SampleSource{};
}

template <typename T = float>
std::vector<T> first_input(const quantization::SampleSource& source, size_t index) {
  const auto sample = source.read(index);
  EXPECT_TRUE(sample) << sample.error().message;
  return sample ? values_of<T>((*sample)[0]) : std::vector<T>{};
}

// Why data cannot be opened or read.
std::string error_of(const graph::Graph& graph, const DataOptions& options) {
  const auto source = open_data_set(graph, options);
  if (!source) return source.error().message;
  for (size_t i = 0; i < source->count; ++i) {
    const auto sample = source->read(i);
    if (!sample) return sample.error().message;
  }
  return "";
}

TEST_F(DataSet, TheFirstAxisOfAnArrayIsSamples) {
  const auto graph = network_of(graph::DataType::kFloat32, {1, 2, 2, 1});
  const auto source = opened(graph, {.data = {save("x.npy", ramp({3, 2, 2, 1}))}});
  ASSERT_EQ(source.count, 3u);
  EXPECT_THAT(first_input(source, 1), ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(source.name(1), HasSubstr("x.npy[1]"));
}

TEST_F(DataSet, ShapesMayLeaveOutExtentsOfOne) {
  const auto graph = network_of(graph::DataType::kFloat32, {1, 2, 2, 1});
  for (const ArrayShape& shape :
       {ArrayShape{2, 2}, ArrayShape{1, 2, 2}, ArrayShape{2, 2, 1}, ArrayShape{1, 1, 2, 2, 1}}) {
    const auto source = opened(graph, {.data = {save("x.npy", ramp(shape))}});
    EXPECT_EQ(source.count, 1u);
    EXPECT_THAT(first_input(source, 0), ElementsAre(0, 1, 2, 3));
  }
  EXPECT_EQ(opened(graph, {.data = {save("x.npy", ramp({5, 2, 2}))}}).count, 5u);
  EXPECT_EQ(opened(graph, {.data = {save("x.npy", ramp({5, 1, 2, 2}))}}).count, 5u);
}

TEST_F(DataSet, BatchesAreNeighbours) {
  const auto graph = network_of(graph::DataType::kFloat32, {2, 3});
  const auto rows = opened(graph, {.data = {save("x.npy", ramp({5, 3}))}});
  EXPECT_EQ(rows.count, 2u) << "the fifth row fills no batch";
  EXPECT_THAT(first_input(rows, 1), ElementsAre(6, 7, 8, 9, 10, 11));
  const auto batches = opened(graph, {.data = {save("x.npy", ramp({4, 2, 3}))}});
  EXPECT_EQ(batches.count, 4u);
  EXPECT_THAT(first_input(batches, 3), ElementsAre(18, 19, 20, 21, 22, 23));
  EXPECT_EQ(opened(graph, {.data = {save("x.npy", ramp({2, 3}))}}).count, 1u);
}

TEST_F(DataSet, FoldersAreReadByNameWithEverythingBelow) {
  const auto graph = network_of(graph::DataType::kFloat32, {1, 1});
  save("set/b.npy", floats({2}, {20, 21}));
  save("set/a/z.npy", floats({1}, {10}));
  save("set/c.npy", floats({1}, {30}));
  save("set/.hidden.npy", floats({1}, {99}));
  const auto source = opened(graph, {.data = {path("set"), save("last.npy", floats({1}, {40}))}});
  ASSERT_EQ(source.count, 5u);
  std::vector<float> all;
  for (size_t i = 0; i < source.count; ++i) all.push_back(first_input(source, i)[0]);
  EXPECT_THAT(all, ElementsAre(10, 20, 21, 30, 40));
}

TEST_F(DataSet, SeedsChooseTheSameSamplesEverywhere) {
  const auto graph = network_of(graph::DataType::kFloat32, {1, 1});
  const std::string file = save("x.npy", ramp({1000}));
  const auto chosen = [&](uint64_t seed) {
    const auto source = opened(graph, {.data = {file}, .samples = 5, .seed = seed});
    std::vector<float> values;
    for (size_t i = 0; i < source.count; ++i) values.push_back(first_input(source, i)[0]);
    return values;
  };
  EXPECT_THAT(chosen(1), ElementsAre(70, 314, 528, 772, 950));
  EXPECT_NE(chosen(2), chosen(1));
  EXPECT_EQ(opened(graph, {.data = {file}, .samples = 2000}).count, 1000u);
}

TEST_F(DataSet, PixelsGoFromMinusOneToOneUnlessToldOtherwise) {
  const auto graph = network_of(graph::DataType::kFloat32, {1, 2, 2, 3});
  const std::string photo = save("photo.png", Color{255, 0, 51}, 9, 5);
  const auto plain = first_input(opened(graph, {.data = {photo}}), 0);
  ASSERT_EQ(plain.size(), 12u);
  EXPECT_THAT(std::vector<float>(plain.begin(), plain.begin() + 3), ElementsAre(1, -1, -0.6f));
  DataOptions options{.data = {photo}};
  options.preprocessing.mean = {255, 10, 1};
  options.preprocessing.standard_deviation = {2};
  const auto normalized = first_input(opened(graph, options), 0);
  EXPECT_THAT(std::vector<float>(normalized.begin(), normalized.begin() + 3),
              ElementsAre(0, -5, 25));
}

TEST_F(DataSet, PhotosFillGreyInputsOfAnyBatch) {
  save("photos/a.png", Color{255, 0, 0}, 4, 4);
  save("photos/b.png", Color{0, 0, 0}, 4, 4);
  DataOptions options{.data = {path("photos")}};
  options.preprocessing.mean = {0};
  options.preprocessing.standard_deviation = {1};
  EXPECT_THAT(first_input(opened(network_of(graph::DataType::kFloat32, {2, 1, 1, 1}), options), 0),
              ElementsAre(76, 0));
  EXPECT_THAT(first_input(opened(network_of(graph::DataType::kFloat32, {2, 1, 1}), options), 0),
              ElementsAre(76, 0));
}

TEST_F(DataSet, CroppingIsUpToTheUser) {
  Image image{.width = 30, .height = 10, .pixels = std::vector<uint8_t>(30 * 10 * 3, 0)};
  for (int32_t y = 0; y < 10; ++y) {
    for (int32_t x = 10; x < 20; ++x) image.pixels[static_cast<size_t>((y * 30 + x) * 3)] = 255;
  }
  ASSERT_TRUE(write_png(image, path("middle.png")));
  const auto graph = network_of(graph::DataType::kFloat32, {1, 1, 1, 3});
  DataOptions options{.data = {path("middle.png")}};
  const float stretched = first_input(opened(graph, options), 0)[0];
  options.preprocessing.resize = ResizeMode::kCrop;
  EXPECT_EQ(first_input(opened(graph, options), 0)[0], 1) << "nothing but the red middle";
  EXPECT_LT(stretched, 0.9f);
}

// Red tells the column, green the row.
Image gradient(int32_t width, int32_t height) {
  Image image{.width = width, .height = height, .pixels = {}};
  for (int32_t y = 0; y < height; ++y) {
    for (int32_t x = 0; x < width; ++x) {
      image.pixels.insert(image.pixels.end(),
                          {static_cast<uint8_t>(x), static_cast<uint8_t>(y), uint8_t{0}});
    }
  }
  return image;
}

DataOptions crops_of(const std::vector<std::string>& data, size_t crops, uint64_t seed) {
  DataOptions options{.data = data, .crops = crops, .seed = seed};
  options.preprocessing.mean = {0};
  options.preprocessing.standard_deviation = {1};
  return options;
}

TEST_F(DataSet, CropsAreRandomPartsOfEveryPhoto) {
  ASSERT_TRUE(write_png(gradient(200, 100), path("a.png")));
  ASSERT_TRUE(write_png(gradient(100, 200), path("b.png")));
  const std::vector<std::string> photos = {path("a.png"), path("b.png")};
  const auto graph = network_of(graph::DataType::kFloat32, {1, 8, 8, 3});
  const auto source = opened(graph, crops_of(photos, 20, 1));
  ASSERT_EQ(source.count, 40u);
  EXPECT_THAT(source.name(21), HasSubstr("b.png[1]"));
  std::set<std::vector<float>> different;
  for (size_t i = 0; i < source.count; ++i) {
    const std::vector<float> crop = first_input(source, i);
    different.insert(crop);
    const float columns = crop[7 * 3] - crop[0];
    const float rows = crop[7 * 8 * 3 + 1] - crop[1];
    EXPECT_GE(columns, 7);
    EXPECT_NEAR(columns, rows, 2) << "the input is square, and so is what it shows";
  }
  EXPECT_GE(different.size(), 39u) << "those of one photo, and those of both";
  EXPECT_EQ(first_input(opened(graph, crops_of(photos, 20, 1)), 7), first_input(source, 7));
  EXPECT_NE(first_input(opened(graph, crops_of(photos, 20, 2)), 7), first_input(source, 7));
}

TEST_F(DataSet, PhotosThatAreTooSmallForCropsAreUsedOnce) {
  ASSERT_TRUE(write_png(gradient(6, 100), path("narrow.png")));
  const auto graph = network_of(graph::DataType::kFloat32, {1, 8, 8, 3});
  const auto whole = opened(graph, crops_of({path("narrow.png")}, 0, 1));
  const auto source = opened(graph, crops_of({path("narrow.png")}, 20, 1));
  ASSERT_EQ(source.count, 1u);
  EXPECT_EQ(first_input(source, 0), first_input(whole, 0));
  EXPECT_EQ(source.name(0), whole.name(0));
}

TEST_F(DataSet, QuantizedInputsTakeTheSameRealValues) {
  graph::Tensor input = input_of("x", graph::DataType::kInt8, {1, 3});
  input.quantization = {.scales = {0.5f}, .zero_points = {-10}};
  const std::string file = save("x.npy", floats({1, 3}, {0, 1.25f, 1000}));
  EXPECT_THAT(first_input<int8_t>(opened(network_of({input}), {.data = {file}}), 0),
              ElementsAre(-10, -7, 127));
  input.type = graph::DataType::kUint8;
  input.quantization.zero_points = {10};
  EXPECT_THAT(first_input<uint8_t>(opened(network_of({input}), {.data = {file}}), 0),
              ElementsAre(10, 13, 255));
  // Pixels, too: a network that takes them from 0 to 1 gets the bytes of the photo.
  graph::Tensor photo = input_of("x", graph::DataType::kUint8, {1, 1, 1, 3});
  photo.quantization = {.scales = {1 / 255.0f}, .zero_points = {0}};
  DataOptions options{.data = {save("p.png", Color{1, 77, 254}, 1, 1)}};
  options.preprocessing.mean = {0};
  options.preprocessing.standard_deviation = {255};
  EXPECT_THAT(first_input<uint8_t>(opened(network_of({photo}), options), 0),
              ElementsAre(1, 77, 254));
}

TEST_F(DataSet, IndicesAreTakenAsTheyAre) {
  const int64_t large = (int64_t{1} << 40) + 1;
  const std::string file =
      save("x.npy", NumberArray{.type = NumberType::kInt64,
                                .shape = {2, 1},
                                .data = bytes_of(std::vector{large, large + 1})});
  EXPECT_THAT(first_input<int64_t>(
                  opened(network_of(graph::DataType::kInt64, {1, 1}), {.data = {file}}), 1),
              ElementsAre(large + 1));
}

TEST_F(DataSet, RawFilesAreBytesOfTheInput) {
  const auto graph = network_of(graph::DataType::kInt8, {2, 2});
  const std::string file = save("x.bin", bytes_of(std::vector<int8_t>{1, -2, 3, -4}));
  EXPECT_THAT(first_input<int8_t>(opened(graph, {.data = {file}}), 0), ElementsAre(1, -2, 3, -4));
  EXPECT_THAT(error_of(network_of(graph::DataType::kFloat32, {1, 3}), {.data = {file}}),
              HasSubstr("4 bytes where input 'x' (float32 1x3) takes 12"));
}

TEST_F(DataSet, ArchivesFillSeveralInputsByNameOrOrder) {
  const auto graph = network_of({input_of("left", graph::DataType::kFloat32, {1, 1}),
                                 input_of("right", graph::DataType::kFloat32, {1, 2})});
  const Status written =
      write_npz(std::vector<NpzMember>{{.name = "right", .array = ramp({2, 2})},
                                       {.name = "labels", .array = ramp({2})},
                                       {.name = "left", .array = floats({2, 1}, {70, 71})}},
                path("named.npz"));
  if (!written) GTEST_SKIP() << written.error().message;
  const auto sample = opened(graph, {.data = {path("named.npz")}}).read(1);
  ASSERT_TRUE(sample) << sample.error().message;
  EXPECT_THAT(values_of<float>((*sample)[0]), ElementsAre(71));
  EXPECT_THAT(values_of<float>((*sample)[1]), ElementsAre(2, 3));

  ASSERT_TRUE(write_npz(std::vector<NpzMember>{{.name = "a", .array = floats({1}, {5})},
                                               {.name = "b", .array = ramp({1, 2})}},
                        path("ordered.npz")));
  EXPECT_THAT(first_input(opened(graph, {.data = {path("ordered.npz")}}), 0), ElementsAre(5));

  ASSERT_TRUE(
      write_npz(std::vector<NpzMember>{{.name = "a", .array = ramp({1})}}, path("short.npz")));
  EXPECT_THAT(error_of(graph, {.data = {path("short.npz")}}), HasSubstr("'a'"));
}

TEST_F(DataSet, InputsMayHaveDataOfTheirOwn) {
  const auto graph = network_of({input_of("left", graph::DataType::kFloat32, {1, 1}),
                                 input_of("right", graph::DataType::kFloat32, {1, 2})});
  const std::string left = save("left.npy", floats({2}, {8, 9}));
  const std::string right = save("right.npy", ramp({2, 2}));
  const auto source = opened(graph, {.data = {"right=" + right, "left=" + left}});
  ASSERT_EQ(source.count, 2u);
  EXPECT_THAT(first_input(source, 1), ElementsAre(9));
  EXPECT_THAT(error_of(graph, {.data = {left}}), HasSubstr("INPUT="));
  EXPECT_THAT(error_of(graph, {.data = {"up=" + left}}), HasSubstr("'left', 'right'"));
  EXPECT_THAT(error_of(graph, {.data = {"left=" + left}}), HasSubstr("no data for input 'right'"));
  const std::string three = save("three.npy", ramp({3, 2}));
  EXPECT_THAT(error_of(graph, {.data = {"left=" + left, "right=" + three}}),
              HasSubstr("2 samples of input 'left', but 3 of input 'right'"));
}

TEST_F(DataSet, WhatCannotBeUsedIsNamed) {
  const auto graph = network_of(graph::DataType::kFloat32, {1, 2, 2, 3});
  EXPECT_THAT(error_of(graph, {}), HasSubstr("there are no data"));
  EXPECT_THAT(error_of(graph, {.data = {path("nowhere")}}), HasSubstr("nowhere"));
  std::filesystem::create_directories(path("empty"));
  EXPECT_THAT(error_of(graph, {.data = {path("empty")}}), HasSubstr("holds no data"));
  const std::string wrong = error_of(graph, {.data = {save("x.npy", ramp({7, 2, 3, 3}))}});
  EXPECT_THAT(wrong, HasSubstr("7x2x3x3"));
  EXPECT_THAT(wrong, HasSubstr("1x2x2x3"));
  EXPECT_THAT(error_of(graph, {.data = {save("x.npy", ramp({0, 2, 2, 3}))}}),
              HasSubstr("no data for input 'x'"));
  save("photos/good.png", Color{1, 2, 3}, 3, 3);
  std::ofstream(path("photos/torn.jpg")) << "no picture";
  EXPECT_THAT(error_of(graph, {.data = {path("photos")}}), HasSubstr("torn.jpg"));
  EXPECT_THAT(error_of(network_of(graph::DataType::kFloat32, {1, 640}),
                       {.data = {path("photos/good.png")}}),
              HasSubstr("takes no images"));
  EXPECT_THAT(error_of(network_of(graph::DataType::kOther, {1}), {.data = {path("photos")}}),
              HasSubstr("takes no data"));
}

TEST_F(DataSet, NumbersThatAreNoneAreNamed) {
  const auto graph = network_of(graph::DataType::kFloat32, {1, 3});
  const std::vector<float> values = {0, 1, 2, 3, std::nanf(""), 5};
  EXPECT_THAT(error_of(graph, {.data = {save("x.npy", floats({2, 3}, values))}}),
              ::testing::AllOf(HasSubstr("x.npy[1]"), HasSubstr("element 1 is NaN")));
  const std::vector<float> infinite = {0, std::numeric_limits<float>::infinity(), 1};
  EXPECT_THAT(error_of(graph, {.data = {save("x.bin", bytes_of(infinite))}}),
              ::testing::AllOf(HasSubstr("x.bin"), HasSubstr("element 1 is infinite")));
}

TEST_F(DataSet, PreprocessingMustFitTheChannels) {
  const auto graph = network_of(graph::DataType::kFloat32, {1, 2, 2, 3});
  DataOptions options{.data = {save("photo.png", Color{1, 2, 3}, 2, 2)}};
  options.preprocessing.mean = {1, 2};
  EXPECT_THAT(error_of(graph, options), HasSubstr("--mean has 2 values; input 'x' has 3 channels"));
  options.preprocessing.mean = {};
  options.preprocessing.standard_deviation = {0};
  EXPECT_THAT(error_of(graph, options), HasSubstr("--std takes positive ones"));
}

TEST(DataOptions, AreReadFromTheCommandLine) {
  CLI::App app;
  DataOptions options;
  std::string model;
  app.add_option("MODEL", model);
  options.add_options(app);
  app.parse(
      "--data photos --data x=y.npy --crops 3 --mean 1,-2,3.5 --std 2 --resize fit --samples 7 "
      "--seed 9 "
      "model.tflite");
  EXPECT_THAT(options.data, ElementsAre("photos", "x=y.npy"));
  EXPECT_THAT(options.preprocessing.mean, ElementsAre(1, -2, 3.5f));
  EXPECT_THAT(options.preprocessing.standard_deviation, ElementsAre(2));
  EXPECT_EQ(options.preprocessing.resize, ResizeMode::kFit);
  EXPECT_EQ(options.crops, 3u);
  EXPECT_EQ(options.samples, 7u);
  EXPECT_EQ(options.seed, 9u);
  EXPECT_EQ(model, "model.tflite");
}

}  // namespace
}  // namespace lockstep::tools
