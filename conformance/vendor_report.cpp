#include "conformance/vendor_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "conformance/case_folder_format.h"
#include "conformance/digest.h"
#include "conformance/operation_text.h"
#include "conformance/tensor_values.h"
#include "conformance/text.h"

namespace lockstep::conformance {
namespace {

constexpr size_t kMaximumInputValues = 64;
constexpr size_t kMaximumElements = 16;

// Names from drivers and files in a line of Markdown: no markup of their own.
std::string plain(std::string_view text) {
  std::string escaped;
  for (const char character : one_line(text)) {
    if (std::string_view("\\`*_[]<>|#").find(character) != std::string_view::npos) escaped += '\\';
    escaped += character;
  }
  return escaped;
}

std::string index_text(int64_t index, const graph::Shape& shape) {
  std::vector<int64_t> coordinates(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) break;
    coordinates[i] = index % shape[i];
    index /= shape[i];
  }
  std::string text = "[";
  for (size_t i = 0; i < coordinates.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", coordinates[i]);
  }
  return text + "]";
}

std::string device_section(const SubjectDescription& subject, const CaseFolder& folder) {
  const backend::DeviceDescription& device = subject.device;
  std::string text = fmt::format(
      "## Device\n\n"
      "| | |\n|---|---|\n"
      "| device | {} ({}) |\n"
      "| driver | {} |\n",
      plain(device.name), backend::device_kind_name(device.kind), plain(device.driver));
  if (!device.api_version.empty()) {
    text += fmt::format("| API version | {} |\n", plain(device.api_version));
  }
  text += fmt::format("| vendor, device, driver version | {:#06x}, {:#06x}, {:#010x} |\n",
                      device.vendor_id, device.device_id, device.driver_version);
  for (const auto& [name, value] : {std::pair("device UUID", device.device_uuid),
                                    std::pair("driver UUID", device.driver_uuid)}) {
    if (!value.empty()) text += fmt::format("| {} | {} |\n", name, plain(value));
  }
  for (const auto& [name, value] : device.capabilities) {
    text += fmt::format("| {} | {} |\n", plain(name), plain(value));
  }
  return text + fmt::format("| found by | Lockstep {}, suite {} |\n\n",
                            plain(folder.lockstep_version), plain(folder.suite_version));
}

std::string inputs_section(const Case& source) {
  std::string text = "## Inputs\n\n";
  for (size_t i = 0; i < source.inputs.size(); ++i) {
    const auto& tensor = source.graph.tensors[static_cast<size_t>(source.graph.inputs[i])];
    text += fmt::format("- `{}`: {} {}", folder::input_file(i), graph::data_type_name(tensor.type),
                        graph::shape_to_string(tensor.shape));
    const auto count = graph::element_count(tensor.shape).value_or(0);
    if (count <= static_cast<int64_t>(kMaximumInputValues) && is_integer(tensor.type)) {
      text += ":";
      for (int64_t j = 0; j < count; ++j) {
        text += fmt::format(" {}", element_value(tensor.type, source.inputs[i], j));
      }
    }
    text += "\n";
  }
  return text + "\n";
}

std::string differences_section(const ReplayedRun& run) {
  std::string text =
      fmt::format("## What comes out\n\nIn the configuration `{}`: {}: {}\n\n",
                  one_line(run.key.configuration), verdict_name(run.verdict), plain(run.reason));
  for (const ReplayedTensor& tensor : run.differences) {
    text += fmt::format(
        "'{}', {} {}: {} elements differ{}.\n\n| element | index | expected | actual |\n"
        "|---|---|---|---|\n",
        plain(tensor.name), graph::data_type_name(tensor.type),
        graph::shape_to_string(tensor.shape), tensor.differing,
        tensor.differing > static_cast<int64_t>(kMaximumElements) ? "; the first of them" : "");
    for (size_t i = 0; i < std::min(tensor.elements.size(), kMaximumElements); ++i) {
      const ElementDifference& element = tensor.elements[i];
      text +=
          fmt::format("| {} | {} | {} | {} |\n", element.index,
                      index_text(element.index, tensor.shape), element.expected, element.actual);
    }
    text += "\n";
  }
  return text;
}

// The kernels of failing runs and, where they are shaders, which SPIR-V that is. A kernel may
// consist of several shaders that have its name in theirs.
std::string kernels_section(const Replay& replay) {
  std::set<std::string> kernels;
  for (const ReplayedRun& run : replay.runs) {
    if (!is_failure(run.verdict)) continue;
    size_t begin = 0;
    while (begin < run.kernels.size()) {
      const size_t end = std::min(run.kernels.find(',', begin), run.kernels.size());
      kernels.insert(run.kernels.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  if (kernels.empty()) return "";
  std::string text = "## Kernels\n\n";
  for (const std::string& kernel : kernels) {
    text += fmt::format("- `{}`\n", one_line(kernel));
    for (const auto& [shader, digest] : replay.subject.shaders) {
      if (shader == kernel) text += fmt::format("  - SPIR-V, XXH3-128: `{}`\n", one_line(digest));
    }
  }
  const auto is_shader = [&](const auto& shader) { return kernels.contains(shader.first); };
  if (!replay.subject.shaders.empty() && std::ranges::none_of(replay.subject.shaders, is_shader)) {
    text += "\nAll SPIR-V of this build (XXH3-128):\n\n";
    for (const auto& [shader, digest] : replay.subject.shaders) {
      text += fmt::format("- `{}`: `{}`\n", one_line(shader), one_line(digest));
    }
  }
  return text + "\n";
}

std::string configurations_section(const Replay& replay) {
  std::string text =
      "## Configurations\n\n"
      "`mask` hides capabilities of the device, so that other kernels are used; `kernel` names "
      "one.\n\n"
      "| contract | configuration | outcome | kernels | reason |\n|---|---|---|---|---|\n";
  for (const ReplayedRun& run : replay.runs) {
    std::string names = plain(run.key.configuration);
    for (const std::string& other : run.equivalent_configurations) names += "; " + plain(other);
    text += fmt::format("| {} | {} | {} | {} | {} |\n", numerics::contract_name(run.key.contract),
                        names, verdict_name(run.verdict), plain(run.kernels), plain(run.reason));
  }
  return text + "\n";
}

std::string reproduction_section(const CaseFolder& folder, const ReplayedRun& run) {
  const auto& expected = *folder.expected_under(run.key.contract);
  std::string text =
      "## How to reproduce\n\n"
      "The folder with this report holds all that is needed; README.txt in it tells how to run it "
      "in any engine.\n\n"
      "1. Load `model.tflite`.\n";
  text += fmt::format("2. Fill the inputs from `{}`{}.\n", folder::input_file(0),
                      folder.source.inputs.size() > 1 ? ", ..." : "");
  text +=
      fmt::format("3. Compare the outputs with `{}`{}", folder::output_file(run.key.contract, 0),
                  expected.outputs.size() > 1 ? ", ..." : "");
  if (!expected.accumulators.empty()) {
    text += fmt::format(", the raw int32 accumulators with `{}`{}",
                        folder::accumulator_file(run.key.contract, 0),
                        expected.accumulators.size() > 1 ? ", ..." : "");
  }
  return text + ".\n\nWith Lockstep:\n\n    lockstep conform replay DIR\n";
}

}  // namespace

Result<std::string> vendor_report(const CaseFolder& folder, const Replay& replay) {
  // The configuration that the folder is about where that failed, otherwise any.
  const ReplayedRun* failed = nullptr;
  for (const ReplayedRun& run : replay.runs) {
    if (!is_failure(run.verdict) || folder.expected_under(run.key.contract) == nullptr) continue;
    const bool is_recorded = folder.failure && run.key.contract == folder.failure->contract &&
                             run.key.configuration == folder.failure->configuration;
    if (failed == nullptr || is_recorded) failed = &run;
  }
  if (failed == nullptr) {
    return make_error(ErrorCode::kUnsupported, "'{}' does not fail on {}", folder.source.name,
                      replay.subject.device.name);
  }
  const auto lowered = lower_case(folder.source, failed->key.contract);
  if (!lowered) return tl::unexpected(lowered.error());

  const auto count = folder.source.graph.operators.size();
  std::string text = fmt::format(
      "# {} on {}: {}\n\n"
      "A network of {} integer operator{}, run by a compute shader, {}. Every value below is an "
      "integer, and every formula has one exact result.\n\n",
      plain(folder.source.graph.operators[0].name), plain(replay.subject.device.name),
      verdict_name(failed->verdict), count, count == 1 ? "" : "s",
      failed->verdict == Verdict::kFail      ? "gives wrong results"
      : failed->verdict == Verdict::kTimeout ? "does not come to an end"
                                             : "ends the process");
  text += device_section(replay.subject, folder);
  text += fmt::format("## What is computed\n\nRounding contract: {}.\n\n",
                      numerics::contract_name(failed->key.contract));
  int32_t previous = -1;
  for (const graph::LoweredOperator& op : lowered->graph.operators) {
    // The second copy of an operator stores accumulators and is otherwise the same.
    if (op.source_operator == previous) continue;
    previous = op.source_operator;
    text += operation_text(lowered->graph, op) + "\n";
  }
  text += inputs_section(folder.source);
  text += differences_section(*failed);
  text += kernels_section(replay);
  text += configurations_section(replay);
  text += reproduction_section(folder, *failed);
  return text;
}

}  // namespace lockstep::conformance
