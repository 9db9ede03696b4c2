// lockstep faces: does a quantized face detector see what the float one sees?
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "graph/graph.h"
#include "graph/tflite_reader.h"
#include "quantization/affine.h"
#include "tools/command.h"
#include "tools/face_detection.h"
#include "tools/image.h"
#include "tools/json_output.h"
#include "tools/table.h"
#include "tools/verification.h"

namespace lockstep::tools {
namespace {

using host_ref::TfliteInterpreter;
using host_ref::TfliteLibrary;

struct FacesOptions {
  std::filesystem::path float_model;
  std::filesystem::path quantized_model;
  std::vector<std::filesystem::path> images;
  std::filesystem::path output = "faces.png";
  EngineSettings engine;
  float minimum_score = 0.5f;
  float minimum_overlap = 0.8f;
  bool json = false;
};

// A BlazeFace network in an engine.
struct Detector {
  graph::Graph graph;
  std::unique_ptr<TfliteInterpreter> engine;
  int32_t extent = 0;  // of its square input, pixels

  const graph::Tensor& tensor(int32_t index) const {
    return graph.tensors[static_cast<size_t>(index)];
  }
};

Result<Detector> make_detector(const std::filesystem::path& path,
                               const std::shared_ptr<const TfliteLibrary>& library,
                               const host_ref::TfliteOptions& options) {
  const auto bytes = graph::read_file_bytes(path);
  if (!bytes) return tl::unexpected(bytes.error());
  auto graph = graph::read_tflite(*bytes, path.string());
  if (!graph) return tl::unexpected(graph.error());
  Detector detector{.graph = std::move(*graph), .engine = nullptr};
  const graph::Shape shape = detector.graph.inputs.size() == 1
                                 ? detector.tensor(detector.graph.inputs.front()).shape
                                 : graph::Shape{};
  if (shape.size() != 4 || shape[0] != 1 || shape[1] != shape[2] || shape[3] != 3) {
    return make_error(ErrorCode::kUnsupported,
                      "{} is no face detector: those have one input, a square of pixels (1xNxNx3)",
                      path.string());
  }
  detector.extent = shape[1];
  auto engine = TfliteInterpreter::create(library, *bytes, options);
  if (!engine) return tl::unexpected(engine.error());
  detector.engine = std::move(*engine);
  return detector;
}

// Faces in fractions of the photo.
Result<std::vector<Detection>> detect(const Detector& detector, const Image& photo,
                                      float minimum_score) {
  const Letterbox box = letterbox(photo, detector.extent);
  std::vector<float> pixels;
  pixels.reserve(box.image.pixels.size());
  for (const uint8_t value : box.image.pixels) {
    pixels.push_back(static_cast<float>(value) / 127.5f - 1.0f);
  }
  const auto input = quantization::tensor_bytes(detector.tensor(detector.graph.inputs[0]), pixels);
  if (!input) return tl::unexpected(input.error());
  if (Status status = detector.engine->set_input(0, *input); !status) {
    return tl::unexpected(status.error());
  }
  if (Status status = detector.engine->invoke(); !status) return tl::unexpected(status.error());
  std::vector<OutputValues> outputs;
  for (size_t i = 0; i < detector.engine->output_count(); ++i) {
    auto values =
        output_values(detector.tensor(detector.graph.outputs[i]), detector.engine->output(i).data);
    if (!values) return tl::unexpected(values.error());
    outputs.push_back(std::move(*values));
  }
  auto faces = faces_of(outputs, detector.extent, minimum_score);
  if (!faces) return tl::unexpected(faces.error());
  std::ranges::transform(*faces, faces->begin(),
                         [&box](const Detection& face) { return box.in_photo(face); });
  return faces;
}

// A face of the float network, and what the quantized one makes of it.
struct FacePair {
  Detection expected;
  Detection found;
  float overlap = 0;  // 0: not found
};

struct PhotoResult {
  std::filesystem::path path;
  std::vector<FacePair> faces;
  size_t unexpected = 0;  // faces that only the quantized network sees
};

PhotoResult pair_up(const std::filesystem::path& path, std::span<const Detection> expected,
                    std::vector<Detection> found) {
  PhotoResult result{.path = path, .faces = {}};
  for (const Detection& face : expected) {
    FacePair pair{.expected = face, .found = {}};
    const auto best = std::ranges::max_element(found, {}, [&face](const Detection& other) {
      return intersection_over_union(face, other);
    });
    if (best != found.end() && intersection_over_union(face, *best) > 0) {
      pair.found = *best;
      pair.overlap = intersection_over_union(face, *best);
      found.erase(best);
    }
    result.faces.push_back(pair);
  }
  result.unexpected = found.size();
  return result;
}

constexpr int32_t kPanelWidth = 480;
constexpr int32_t kPanelGap = 8;

// One photo with the boxes of one network.
Image panel(const Image& photo, std::span<const Detection> faces, const std::string& title) {
  const int32_t height = std::max(
      1, static_cast<int32_t>(int64_t{photo.height} * kPanelWidth / std::max(photo.width, 1)));
  Image image = resize_image(photo, kPanelWidth, height);
  draw_detections(image, faces, Labels::of({"face"}));
  draw_label(image, 0, height, 1, title, Color{40, 40, 40});
  return image;
}

// Rows of two panels, on white.
Image stack(std::span<const std::pair<Image, Image>> rows) {
  Image picture{.width = 2 * kPanelWidth + kPanelGap, .height = 0, .pixels = {}};
  for (const auto& [left, right] : rows) picture.height += left.height + kPanelGap;
  picture.height = std::max(picture.height - kPanelGap, 1);
  picture.pixels.assign(
      size_t{3} * static_cast<size_t>(picture.width) * static_cast<size_t>(picture.height), 255);
  int32_t top = 0;
  for (const auto& [left, right] : rows) {
    paste_image(picture, left, 0, top);
    paste_image(picture, right, kPanelWidth + kPanelGap, top);
    top += left.height + kPanelGap;
  }
  return picture;
}

void print_results(const FacesOptions& options, std::span<const PhotoResult> results) {
  Table table({{.title = "photo"},
               {.title = "float score", .align = Align::kRight},
               {.title = "int8 score", .align = Align::kRight},
               {.title = "overlap (IoU)", .align = Align::kRight}});
  for (const PhotoResult& result : results) {
    for (const FacePair& pair : result.faces) {
      const bool is_found = pair.overlap > 0;
      table.add_row({result.path.filename().string(), fmt::format("{:.3f}", pair.expected.score),
                     is_found ? fmt::format("{:.3f}", pair.found.score) : "not found",
                     is_found ? fmt::format("{:.3f}", pair.overlap) : ""});
    }
  }
  fmt::print("{}\npicture     {}\n", table.to_string(), options.output.string());
}

nlohmann::json to_json(const PhotoResult& result) {
  nlohmann::json faces = nlohmann::json::array();
  for (const FacePair& pair : result.faces) {
    faces.push_back({{"float_score", pair.expected.score},
                     {"quantized_score", pair.found.score},
                     {"intersection_over_union", pair.overlap}});
  }
  return {{"photo", result.path.string()},
          {"faces", std::move(faces)},
          {"faces_of_the_quantized_network_alone", result.unexpected}};
}

Result<int> run_faces(FacesOptions& options) {
  if (Status status = options.engine.find_libraries(); !status) {
    return tl::unexpected(status.error());
  }
  const auto library = TfliteLibrary::load(options.engine.tflite_library);
  if (!library) return tl::unexpected(library.error());
  const auto expected = make_detector(options.float_model, *library, {});
  if (!expected) return tl::unexpected(expected.error());
  const auto actual =
      make_detector(options.quantized_model, *library, plugin_options(options.engine, {}));
  if (!actual) return tl::unexpected(actual.error());

  std::vector<PhotoResult> results;
  std::vector<std::pair<Image, Image>> rows;
  for (const std::filesystem::path& path : options.images) {
    const auto photo = read_image(path);
    if (!photo) return tl::unexpected(photo.error());
    const auto float_faces = detect(*expected, *photo, options.minimum_score);
    if (!float_faces) return tl::unexpected(float_faces.error());
    const auto quantized_faces = detect(*actual, *photo, options.minimum_score);
    if (!quantized_faces) return tl::unexpected(quantized_faces.error());
    results.push_back(pair_up(path, *float_faces, *quantized_faces));
    rows.emplace_back(panel(*photo, *float_faces, "float32"),
                      panel(*photo, *quantized_faces, "int8, with the delegate"));
  }
  if (Status status = write_png(stack(rows), options.output); !status) {
    return tl::unexpected(status.error());
  }

  size_t faces = 0;
  size_t same = 0;
  size_t unexpected = 0;
  for (const PhotoResult& result : results) {
    faces += result.faces.size();
    unexpected += result.unexpected;
    same += static_cast<size_t>(std::ranges::count_if(result.faces, [&](const FacePair& pair) {
      return pair.overlap >= options.minimum_overlap;
    }));
  }
  if (options.json) {
    nlohmann::json photos = nlohmann::json::array();
    for (const PhotoResult& result : results) photos.push_back(to_json(result));
    print_json({{"float_model", options.float_model.string()},
                {"quantized_model", options.quantized_model.string()},
                {"output", options.output.string()},
                {"faces", faces},
                {"same_faces", same},
                {"faces_of_the_quantized_network_alone", unexpected},
                {"photos", std::move(photos)}});
  } else {
    print_results(options, results);
    fmt::print(
        "\n{} of {} faces are the same (overlap of at least {}), {} more seen by the "
        "quantized network alone\n",
        same, faces, options.minimum_overlap, unexpected);
  }
  return same == faces && unexpected == 0 ? kSuccess : kDifferent;
}

}  // namespace

void add_faces_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<FacesOptions>();
  CLI::App& command = *app.add_subcommand(
      "faces", "Compare a quantized BlazeFace network with the float one on photos, and draw both");
  command.footer("Exit code: 0 both see the same faces, 1 they do not, 2 error.");
  command.add_option("FLOAT", options->float_model, ".tflite file of the float network")
      ->required()
      ->check(CLI::ExistingFile);
  command
      .add_option("QUANTIZED", options->quantized_model,
                  ".tflite file of the quantized one, which "
                  "runs with the delegate")
      ->required()
      ->check(CLI::ExistingFile);
  command.add_option("--image", options->images, "Photo (repeatable)")
      ->required()
      ->check(CLI::ExistingFile);
  command.add_option("--output", options->output, "The picture (PNG)")->capture_default_str();
  command.add_option("--minimum-score", options->minimum_score, "Faces from this score on")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--minimum-overlap", options->minimum_overlap,
                  "Intersection over union from which two boxes are the same face")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  options->engine.add_options(command);
  command.add_flag("--json", options->json, "Print JSON");
  command.callback([options, &exit_code] { exit_code = finish("faces", run_faces(*options)); });
}

}  // namespace lockstep::tools
