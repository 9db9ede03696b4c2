#include "tools/image.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

namespace lockstep::tools {
namespace {

Image checkered(int32_t width, int32_t height) {
  Image image{.width = width, .height = height, .pixels = {}};
  for (int32_t i = 0; i < width * height; ++i) {
    for (int32_t channel = 0; channel < 3; ++channel) {
      image.pixels.push_back(static_cast<uint8_t>(i * 7 + channel * 50));
    }
  }
  return image;
}

TEST(Image, PngRoundTripKeepsEveryPixel) {
  const Image image = checkered(5, 3);
  const auto path = std::filesystem::path(testing::TempDir()) / "lockstep_image_test.png";
  ASSERT_TRUE(write_png(image, path));
  const auto read = read_image(path);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->width, 5);
  EXPECT_EQ(read->height, 3);
  EXPECT_EQ(read->pixels, image.pixels);
  std::filesystem::remove(path);
}

TEST(Image, APictureThatCannotBeWrittenLeavesNothingBehind) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "lockstep_image_test_folder";
  std::filesystem::create_directories(folder);
  EXPECT_FALSE(write_png(checkered(5, 3), folder));
  EXPECT_FALSE(std::filesystem::exists(folder.string() + ".partial"));
  std::filesystem::remove_all(folder);
}

TEST(Image, FilesThatAreNoImagesAreRefusedByName) {
  const auto path = std::filesystem::path(testing::TempDir()) / "lockstep_not_an_image.png";
  std::ofstream(path) << "no picture";
  const auto read = read_image(path);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("lockstep_not_an_image.png"), std::string::npos);
  std::filesystem::remove(path);
}

TEST(Image, InputBytesFollowTheElementType) {
  const Image image{.width = 1, .height = 1, .pixels = {0, 128, 255}};
  const std::vector<int32_t> shape{1, 1, 1, 3};
  const auto unsigned_input = image_to_input(image, "x", graph::DataType::kUint8, shape);
  ASSERT_TRUE(unsigned_input);
  EXPECT_EQ(*unsigned_input,
            (std::vector<std::byte>{std::byte{0}, std::byte{128}, std::byte{255}}));
  const auto signed_input = image_to_input(image, "x", graph::DataType::kInt8, shape);
  ASSERT_TRUE(signed_input);
  EXPECT_EQ(*signed_input, (std::vector<std::byte>{std::byte{0x80}, std::byte{0}, std::byte{127}}));
  const auto float_input = image_to_input(image, "x", graph::DataType::kFloat32, shape);
  ASSERT_TRUE(float_input);
  std::vector<float> reals(3);
  std::memcpy(reals.data(), float_input->data(), float_input->size());
  EXPECT_EQ(reals[0], -1.0f);
  EXPECT_EQ(reals[2], 1.0f);
}

TEST(Image, GreyInputsTakeTheLuma) {
  const Image image{.width = 1, .height = 1, .pixels = {255, 0, 0}};
  const auto input =
      image_to_input(image, "x", graph::DataType::kUint8, std::vector<int32_t>{1, 1, 1, 1});
  ASSERT_TRUE(input);
  EXPECT_EQ((*input)[0], std::byte{76});
}

// Three thirds, red, green and blue, side by side: 60 x 20.
Image tricolour() {
  Image image{.width = 60, .height = 20, .pixels = {}};
  for (int32_t i = 0; i < 60 * 20; ++i) {
    for (int32_t channel = 0; channel < 3; ++channel) {
      image.pixels.push_back(i % 60 / 20 == channel ? 255 : 0);
    }
  }
  return image;
}

Color pixel_at(const Image& image, int32_t x, int32_t y) {
  const auto first = static_cast<size_t>((y * image.width + x) * 3);
  return {image.pixels[first], image.pixels[first + 1], image.pixels[first + 2]};
}

TEST(Image, StretchingKeepsEverything) {
  const Image square = resize_image(tricolour(), 12, 12);
  EXPECT_EQ(pixel_at(square, 1, 6), (Color{255, 0, 0}));
  EXPECT_EQ(pixel_at(square, 6, 6), (Color{0, 255, 0}));
  EXPECT_EQ(pixel_at(square, 10, 6), (Color{0, 0, 255}));
}

TEST(Image, CroppingKeepsTheCentre) {
  const Image square = resize_image(tricolour(), 10, 10, ResizeMode::kCrop);
  for (const int32_t x : {1, 5, 8}) EXPECT_EQ(pixel_at(square, x, 5), (Color{0, 255, 0})) << x;
  const Image tall = resize_image(square, 2, 10, ResizeMode::kCrop);
  EXPECT_EQ(tall.pixels.size(), 2u * 10 * 3);
}

TEST(Image, FittingKeepsTheWholeBetweenBlackBars) {
  const Image square = resize_image(tricolour(), 12, 12, ResizeMode::kFit);
  EXPECT_EQ(pixel_at(square, 6, 1), (Color{0, 0, 0}));
  EXPECT_EQ(pixel_at(square, 6, 10), (Color{0, 0, 0}));
  EXPECT_EQ(pixel_at(square, 1, 6), (Color{255, 0, 0}));
  EXPECT_EQ(pixel_at(square, 10, 6), (Color{0, 0, 255}));
}

TEST(Image, ExtremeRatiosKeepAPixel) {
  for (const ResizeMode mode : {ResizeMode::kStretch, ResizeMode::kCrop, ResizeMode::kFit}) {
    const Image line = resize_image(checkered(500, 1), 3, 400, mode);
    EXPECT_EQ(line.pixels.size(), 3u * 400 * 3);
    EXPECT_EQ(resize_image(checkered(1, 500), 400, 3, mode).pixels.size(), 3u * 400 * 3);
  }
}

TEST(Image, InputsThatAreNoImagesAreRefused) {
  const Image image = checkered(2, 2);
  EXPECT_FALSE(image_to_input(image, "x", graph::DataType::kUint8, std::vector<int32_t>{1, 640}));
  EXPECT_FALSE(
      image_to_input(image, "x", graph::DataType::kInt32, std::vector<int32_t>{1, 2, 2, 3}));
}

TEST(Image, DrawingStaysInsideTheImage) {
  Image image = checkered(20, 20);
  draw_rectangle(image, -10, -10, 100, 100, 3, Color{1, 2, 3});
  EXPECT_EQ(image.pixels, checkered(20, 20).pixels) << "all edges are outside";
  draw_label(image, 15, 2, 2, "person \xc3\xa9 99%", Color{4, 5, 6});
  EXPECT_EQ(image.pixels.size(), 20u * 20 * 3);
  EXPECT_EQ(image.pixels.front(), 4) << "the label was moved into the image";
}

TEST(Image, LabelsAreLegible) {
  Image image{.width = 60, .height = 20, .pixels = std::vector<uint8_t>(60 * 20 * 3, 0)};
  draw_label(image, 0, 18, 1, "dog", Color{200, 0, 0});
  int32_t white = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3) white += image.pixels[i + 1] == 255;
  EXPECT_GT(white, 20) << "the glyphs' pixels";
  EXPECT_LT(white, 200);
}

TEST(Image, PastingIsClippedToTheImage) {
  const auto grey = [](int32_t width, int32_t height, uint8_t value) {
    const auto bytes = static_cast<size_t>(width * height * 3);
    return Image{.width = width, .height = height, .pixels = std::vector<uint8_t>(bytes, value)};
  };
  Image image = grey(3, 2, 0);
  paste_image(image, grey(2, 2, 9), 2, -1);
  paste_image(image, grey(5, 5, 7), -5, 0);
  paste_image(image, grey(1, 1, 5), 0, 1);
  std::vector<uint8_t> reds;
  for (size_t i = 0; i < image.pixels.size(); i += 3) reds.push_back(image.pixels[i]);
  EXPECT_EQ(reds, (std::vector<uint8_t>{0, 0, 9, 5, 0, 0}));
}

}  // namespace
}  // namespace lockstep::tools
