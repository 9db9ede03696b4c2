// lockstep demo: a network and a photo through the real TFLite with our delegate, checked and
// drawn.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "graph/graph.h"
#include "tools/command.h"
#include "tools/image.h"
#include "tools/json_output.h"
#include "tools/network_inputs.h"
#include "tools/placement.h"
#include "tools/predictions.h"
#include "tools/timing.h"
#include "tools/verification.h"

namespace lockstep::tools {
namespace {

struct DemoOptions {
  std::filesystem::path model;
  std::filesystem::path image;
  std::filesystem::path labels;
  std::filesystem::path output = "detections.png";
  EngineSettings engine;
  float minimum_score = 0.5f;
  uint32_t runs = 11;
  bool json = false;
};

struct Latency {
  double with_delegate = 0;  // milliseconds, median
  double without_delegate = 0;
};

using host_ref::TfliteInterpreter;

struct Engines {
  std::unique_ptr<TfliteInterpreter> with_delegate;
  std::unique_ptr<TfliteInterpreter> without_delegate;
};

Result<Engines> create_engines(const VerifiedModel& model, const EngineSettings& settings,
                               const Sample& sample) {
  const auto library = host_ref::TfliteLibrary::load(settings.tflite_library);
  if (!library) return tl::unexpected(library.error());
  host_ref::TfliteOptions builtin;
  builtin.threads = settings.threads;
  auto peer = TfliteInterpreter::create(*library, model.bytes, builtin);
  if (!peer) return tl::unexpected(peer.error());
  auto ours =
      TfliteInterpreter::create(*library, model.bytes, plugin_options(settings, /*report=*/{}));
  if (!ours) return tl::unexpected(ours.error());
  Engines engines{.with_delegate = std::move(*ours), .without_delegate = std::move(*peer)};
  for (TfliteInterpreter* engine : {engines.with_delegate.get(), engines.without_delegate.get()}) {
    for (size_t i = 0; i < sample.size(); ++i) {
      if (Status status = engine->set_input(i, sample[i]); !status) {
        return tl::unexpected(status.error());
      }
    }
  }
  return engines;
}

// Both engines take turns, so that a slow moment of the machine meets both alike.
Result<Latency> measure(const Engines& engines, uint32_t runs) {
  std::vector<double> with_delegate;
  std::vector<double> without_delegate;
  for (uint32_t i = 0; i <= runs; ++i) {
    Status ours;
    Status theirs;
    const double our_time = milliseconds_of([&] { ours = engines.with_delegate->invoke(); });
    const double their_time = milliseconds_of([&] { theirs = engines.without_delegate->invoke(); });
    if (!ours) return tl::unexpected(ours.error());
    if (!theirs) return tl::unexpected(theirs.error());
    if (i == 0) continue;  // warms caches and compiles pipelines
    with_delegate.push_back(our_time);
    without_delegate.push_back(their_time);
  }
  return Latency{median(with_delegate), median(without_delegate)};
}

Result<std::vector<OutputValues>> outputs_of(const VerifiedModel& model,
                                             const TfliteInterpreter& engine) {
  std::vector<OutputValues> outputs;
  for (size_t i = 0; i < engine.output_count(); ++i) {
    const auto view = engine.output(i);
    graph::Tensor tensor = model.graph.tensors[static_cast<size_t>(model.graph.outputs[i])];
    tensor.shape = view.shape;  // post-processing decides on its outputs' shapes as it runs
    auto values = output_values(tensor, view.data);
    if (!values) return tl::unexpected(values.error());
    outputs.push_back(std::move(*values));
  }
  return outputs;
}

// Draws what the network saw and says it in one line each.
std::vector<std::string> draw_predictions(Image& image, const std::vector<OutputValues>& outputs,
                                          const Labels& labels, float minimum_score) {
  std::vector<std::string> lines;
  if (const auto detections = detections_of(outputs, minimum_score)) {
    draw_detections(image, *detections, labels);
    for (const Detection& detection : *detections) {
      lines.push_back(fmt::format("{} {:.0f}%", labels.name(detection.class_id),
                                  static_cast<double>(detection.score) * 100));
    }
  } else if (const auto classes = classifications_of(outputs, 5)) {
    draw_classifications(image, *classes, labels);
    for (const Classification& classification : *classes) {
      lines.push_back(
          fmt::format("{} {:.4f}", labels.name(classification.class_id), classification.score));
    }
  }
  return lines;
}

Result<int> run_demo(DemoOptions& options) {
  if (Status status = options.engine.find_libraries(); !status) {
    return tl::unexpected(status.error());
  }
  auto labels = options.labels.empty() ? Result<Labels>(Labels()) : Labels::read(options.labels);
  if (!labels) return tl::unexpected(labels.error());
  auto photo = read_image(options.image);
  if (!photo) return tl::unexpected(photo.error());
  const auto model = read_model_for_verification(options.model);
  if (!model) return tl::unexpected(model.error());
  InputSource source;
  source.image = options.image;
  auto sample = make_inputs(model->graph, source);
  if (!sample) return tl::unexpected(sample.error());

  const auto verification = verify(*model, options.engine, std::span(&*sample, 1));
  if (!verification) return tl::unexpected(verification.error());
  const auto engines = create_engines(*model, options.engine, *sample);
  if (!engines) return tl::unexpected(engines.error());
  const auto latency = measure(*engines, options.runs);
  if (!latency) return tl::unexpected(latency.error());
  const auto outputs = outputs_of(*model, *engines->with_delegate);
  if (!outputs) return tl::unexpected(outputs.error());
  const std::vector<std::string> predictions =
      draw_predictions(*photo, *outputs, *labels, options.minimum_score);
  if (Status status = write_png(*photo, options.output); !status) {
    return tl::unexpected(status.error());
  }

  if (options.json) {
    const nlohmann::json report{{"model", options.model.string()},
                                {"image", options.image.string()},
                                {"output", options.output.string()},
                                {"placement", verification->placement},
                                {"milliseconds_with_delegate", latency->with_delegate},
                                {"milliseconds_without_delegate", latency->without_delegate},
                                {"tensors_compared", verification->tensors.size()},
                                {"tensors_equal", verification->equal_tensors()},
                                {"predictions", predictions}};
    print_json(report);
  } else {
    print_placement(verification->placement);
    fmt::print("\nlatency     {:.1f} ms with the delegate, {:.1f} ms without (medians of {})\n",
               latency->with_delegate, latency->without_delegate, options.runs);
    for (const std::string& line : predictions) fmt::print("seen        {}\n", line);
    fmt::print("picture     {}\n", options.output.string());
    fmt::print("\n{} of {} tensors bit-exact\n", verification->equal_tensors(),
               verification->tensors.size());
  }
  return verification->is_exact() ? kSuccess : kDifferent;
}

}  // namespace

void add_demo_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<DemoOptions>();
  CLI::App& command = *app.add_subcommand(
      "demo", "Run a detector or classifier on a photo in TFLite with the delegate, and draw it");
  command.add_option("--model", options->model, ".tflite file")
      ->required()
      ->check(CLI::ExistingFile);
  command.add_option("--image", options->image, "Photo")->required()->check(CLI::ExistingFile);
  command.add_option("--labels", options->labels, "Names of the classes")->check(CLI::ExistingFile);
  command.add_option("--output", options->output, "The picture (PNG)")->capture_default_str();
  command
      .add_option("--minimum-score", options->minimum_score, "Draw detections from this score on")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  options->engine.add_options(command);
  command.add_option("--runs", options->runs, "Runs to take the median latency of")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_flag("--json", options->json, "Print JSON");
  command.callback([options, &exit_code] { exit_code = finish("demo", run_demo(*options)); });
}

}  // namespace lockstep::tools
