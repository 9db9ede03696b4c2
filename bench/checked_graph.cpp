#include "bench/checked_graph.h"

#include <algorithm>
#include <random>
#include <span>

#include "graph/lowering.h"
#include "host_ref/interpreter.h"

namespace lockstep::bench {
namespace {

std::vector<std::byte> random_bytes(size_t count) {
  std::mt19937 random(7);
  std::vector<std::byte> bytes(count);
  std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random()); });
  return bytes;
}

// Empty where both are the same.
std::string difference(std::span<const std::byte> computed, std::span<const std::byte> expected) {
  size_t count = 0;
  size_t first = 0;
  for (size_t i = expected.size(); i-- > 0;) {
    if (computed[i] == expected[i]) continue;
    ++count;
    first = i;
  }
  if (count == 0) return {};
  return fmt::format(
      "wrong result: {} of {} bytes differ from host_ref, the first at {}: {:#04x} "
      "for {:#04x}",
      count, expected.size(), first, static_cast<unsigned>(computed[first]),
      static_cast<unsigned>(expected[first]));
}

}  // namespace

Result<CheckedGraph> CheckedGraph::create(const graph::Graph& graph) {
  auto lowered = graph::lower(graph, numerics::Contract::kTflite);
  if (!lowered) return tl::unexpected(lowered.error());
  CheckedGraph checked;
  checked.graph = std::move(*lowered);
  const graph::Shape& shape =
      checked.graph.tensors[static_cast<size_t>(checked.graph.inputs[0])].shape;
  checked.input = random_bytes(static_cast<size_t>(*graph::element_count(shape)));
  auto interpreter = host_ref::Interpreter::create(checked.graph);
  if (!interpreter) return tl::unexpected(interpreter.error());
  if (Status status = interpreter->set_input(0, checked.input); !status) {
    return tl::unexpected(status.error());
  }
  if (Status status = interpreter->run(); !status) return tl::unexpected(status.error());
  auto expected = interpreter->tensor(checked.graph.outputs[0]);
  if (!expected) return tl::unexpected(expected.error());
  checked.expected = std::move(*expected);
  return checked;
}

Result<TimedProgram> CheckedGraph::compile(backend::Device& device, const std::string& kernel,
                                           TimedProgram::What what) const {
  auto program = TimedProgram::create(device, graph, kernel, {input}, what);
  if (!program) return program;
  if (const auto time = program->run(); !time) return tl::unexpected(time.error());
  if (const std::string problem = difference(program->output(0), expected); !problem.empty()) {
    return make_error(ErrorCode::kInternal, "{}", problem);
  }
  return program;
}

}  // namespace lockstep::bench
