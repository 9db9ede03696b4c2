#include "quantization/post_training.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <utility>

#include "graph/operators.h"
#include "graph/tflite_reader.h"
#include "quantization/calibration.h"
#include "quantization/compared_network.h"
#include "quantization/finite_constants.h"
#include "quantization/model_editing.h"
#include "quantization/treatment.h"

namespace lockstep::quantization {
namespace {

constexpr std::array<std::pair<QuantizationMode, std::string_view>, 3> kModes{{
    {QuantizationMode::kInt8, "int8"},
    {QuantizationMode::kDynamicRange, "dynamic-range"},
    {QuantizationMode::kFloat16, "float16"},
}};

class PostTraining {
 public:
  PostTraining(graph::EditableModel model, std::shared_ptr<const host_ref::TfliteLibrary> library,
               const SampleSource& samples, const PostTrainingOptions& options)
      : model_(std::move(model)),
        library_(std::move(library)),
        samples_(samples),
        options_(options) {}

  Result<PostTrainingResult> quantize() {
    auto network = make_float_network(model_.tree);
    if (!network) return tl::unexpected(network.error());
    report_.float_network = network->report;
    const Status quantized = options_.mode == QuantizationMode::kInt8
                                 ? quantize_activations(network->trained_ranges)
                                 : narrow_weights();
    if (!quantized) return tl::unexpected(quantized.error());
    auto file = graph::write_editable_model(model_);
    if (!file) return tl::unexpected(file.error());
    if (Status checked = check(*file); !checked) return tl::unexpected(checked.error());
    return PostTrainingResult{std::move(*file), std::move(report_)};
  }

 private:
  std::function<void(size_t, size_t)> progress_of(std::string_view step) const {
    if (!options_.progress) return {};
    return [this, step](size_t done, size_t count) { options_.progress(step, done, count); };
  }

  // Said of the constant, before every activation behind it is no number either.
  Status check_constants() const {
    for (const auto& tensor : model_.tree.subgraphs.front()->tensors) {
      if (tensor->type != schema::TensorType::FLOAT32 || !is_constant(model_.tree, *tensor)) {
        continue;
      }
      if (const auto values = finite_values(model_.tree, *tensor); !values) {
        return tl::unexpected(values.error());
      }
    }
    return {};
  }

  Status quantize_activations(const Ranges& trained_ranges) {
    if (Status finite = check_constants(); !finite) return finite;
    const auto untouched = find_untouched(trained_ranges);
    if (!untouched) return tl::unexpected(untouched.error());
    auto calibration = calibrate_as_it_is("calibrating");
    if (!calibration) return tl::unexpected(calibration.error());
    if (options_.equalization != Equalization::kOff) {
      const auto equalized = equalize(*calibration, *untouched);
      if (!equalized) return tl::unexpected(equalized.error());
      if (*equalized) {
        calibration = calibrate_as_it_is("calibrating equalized channels");
        if (!calibration) return tl::unexpected(calibration.error());
      }
    }
    report_.samples = calibration->samples;
    // What the network was trained with goes before what it was seen with.
    Ranges ranges = trained_ranges;
    ranges.merge(choose_ranges(*calibration, options_.ranges));

    auto quantized = quantize_to_int8(model_.tree, std::move(ranges), options_.int8);
    if (!quantized) return tl::unexpected(quantized.error());
    report_.int8 = std::move(*quantized);
    if (!options_.correct_biases) return {};
    const auto corrected =
        correct_biases(model_.tree, float_file_, library_, samples_,
                       {.threads = options_.threads, .progress = progress_of("correcting biases")});
    if (!corrected) return tl::unexpected(corrected.error());
    report_.biases = *corrected;
    return {};
  }

  // Keeps the file of the float network, and observes it.
  Result<Calibration> calibrate_as_it_is(std::string_view step) {
    auto file = graph::write_editable_model(model_);
    if (!file) return tl::unexpected(file.error());
    float_file_ = std::move(*file);
    return calibrate(float_file_, library_, samples_,
                     {.threads = options_.threads, .progress = progress_of(step)});
  }

  // Tensors that the user or training speaks of: they keep their values and names. What is asked
  // for and cannot be is said before minutes of calibration, not after.
  Result<std::set<int32_t>> find_untouched(const Ranges& trained_ranges) const {
    auto untouched = find_kept_outputs(model_.tree, options_.int8.keep_float);
    if (!untouched) return untouched;
    const auto demanded = find_demanded_ranges(model_.tree, options_.int8.ranges);
    if (!demanded) return tl::unexpected(demanded.error());
    for (const Ranges* ranges : {&trained_ranges, &*demanded}) {
      for (const auto& [tensor, range] : *ranges) untouched->insert(tensor);
    }
    untouched->erase(graph::kAbsentTensor);
    return untouched;
  }

  // Whether that has changed the network.
  Result<bool> equalize(const Calibration& calibration, const std::set<int32_t>& untouched) {
    auto equalized = equalize_channels(model_.tree, calibration, untouched, options_.equalization);
    if (!equalized) return tl::unexpected(equalized.error());
    report_.equalization = std::move(*equalized);
    return !report_.equalization->groups.empty();
  }

  Status narrow_weights() {
    auto narrowed = options_.mode == QuantizationMode::kFloat16
                        ? store_as_float16(model_.tree)
                        : store_as_dynamic_range(model_.tree);
    if (!narrowed) return tl::unexpected(narrowed.error());
    report_.weights = std::move(*narrowed);
    return {};
  }

  // Is the file one that we and TFLite can read, and that runs?
  Status check(const std::vector<std::byte>& file) {
    const auto graph = graph::read_tflite(file, "the quantized network");
    if (!graph) return tl::unexpected(graph.error());
    if (library_ == nullptr) return {};
    auto interpreter = host_ref::TfliteInterpreter::create(library_, file, {});
    if (!interpreter) return tl::unexpected(interpreter.error());
    if (Status ran = (*interpreter)->invoke(); !ran) return ran;
    return float_file_.empty() ? Status{} : compare(file);
  }

  Status compare(const std::vector<std::byte>& file) {
    SampleSource some = samples_;
    some.count = std::min(some.count, options_.compared_samples);
    if (some.count == 0) return {};
    const auto open = [&](std::span<const std::byte> model, const char* name) {
      return open_in_tflite(model, name, library_, options_.threads, Observed::kAllTensors);
    };
    auto expected = open(float_file_, "the float network");
    if (!expected) return tl::unexpected(expected.error());
    auto actual = open(file, "the quantized network");
    if (!actual) return tl::unexpected(actual.error());
    auto comparison =
        compare_models(**expected, **actual, some, {.progress = progress_of("comparing layers")});
    if (!comparison) return tl::unexpected(comparison.error());
    report_.comparison = std::move(*comparison);
    for (const graph::Tensor& tensor : (*expected)->graph().tensors) {
      report_.tensor_names.push_back(tensor.name);
    }
    return {};
  }

  graph::EditableModel model_;
  std::shared_ptr<const host_ref::TfliteLibrary> library_;
  const SampleSource& samples_;
  const PostTrainingOptions& options_;
  std::vector<std::byte> float_file_;  // the plain float network
  PostTrainingReport report_;
};

}  // namespace

std::string_view quantization_mode_name(QuantizationMode mode) {
  const auto entry = std::find_if(kModes.begin(), kModes.end(),
                                  [&](const auto& named) { return named.first == mode; });
  return entry->second;
}

std::optional<QuantizationMode> parse_quantization_mode(std::string_view name) {
  const auto entry = std::find_if(kModes.begin(), kModes.end(),
                                  [&](const auto& named) { return named.second == name; });
  if (entry == kModes.end()) return std::nullopt;
  return entry->first;
}

Result<PostTrainingResult> quantize_after_training(
    graph::EditableModel model, const std::shared_ptr<const host_ref::TfliteLibrary>& library,
    const SampleSource& samples, const PostTrainingOptions& options) {
  return PostTraining(std::move(model), library, samples, options).quantize();
}

}  // namespace lockstep::quantization
