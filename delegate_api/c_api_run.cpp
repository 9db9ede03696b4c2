#include <span>
#include <vector>

#include "delegate_api/c_api_internal.h"

namespace lockstep::c_api {
namespace {

// One span for each of the caller's buffers.
template <typename Byte, typename Buffer>
Result<std::vector<std::span<Byte>>> read_buffers(std::span<const Buffer> buffers,
                                                  std::string_view name) {
  std::vector<std::span<Byte>> spans;
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].data == nullptr && buffers[i].size > 0) {
      return make_error(ErrorCode::kInvalidArgument, "{}[{}].data is NULL, its size is {}", name, i,
                        buffers[i].size);
    }
    spans.emplace_back(static_cast<Byte*>(buffers[i].data), buffers[i].size);
  }
  return spans;
}

Status submit(lockstep_engine* engine, std::span<const lockstep_input> inputs,
              std::span<const lockstep_output> outputs, lockstep_run** run) {
  const auto given_inputs = read_buffers<const std::byte>(inputs, "inputs");
  if (!given_inputs) {
    return tl::unexpected(given_inputs.error());
  }
  const auto given_outputs = read_buffers<std::byte>(outputs, "outputs");
  if (!given_outputs) {
    return tl::unexpected(given_outputs.error());
  }
  auto handle = std::make_unique<lockstep_run>();
  auto started = engine->engine->submit(*given_inputs, *given_outputs);
  if (!started) {
    return tl::unexpected(started.error());
  }
  handle->run = *std::move(started);
  *run = handle.release();
  return {};
}

}  // namespace
}  // namespace lockstep::c_api

using namespace lockstep::c_api;

extern "C" {

lockstep_status lockstep_engine_submit(lockstep_engine* engine, const lockstep_input* inputs,
                                       size_t input_count, const lockstep_output* outputs,
                                       size_t output_count, lockstep_run** run) {
  return guarded([&] {
    return require(run, "run")
        .and_then([&] {
          *run = nullptr;
          return require(engine, "engine");
        })
        .and_then([&] {
          // No array counts as an empty one; the engine says how many it wants.
          return submit(engine, {inputs, inputs != nullptr ? input_count : 0},
                        {outputs, outputs != nullptr ? output_count : 0}, run);
        });
  });
}

lockstep_status lockstep_run_poll(lockstep_run* run, int32_t* is_over) {
  return guarded([&] {
    return require(run, "run").and_then([&] { return require(is_over, "is_over"); }).map([&] {
      *is_over = run->run->poll() ? 1 : 0;
    });
  });
}

lockstep_status lockstep_run_wait(lockstep_run* run) {
  return guarded([&] { return require(run, "run").and_then([&] { return run->run->wait(); }); });
}

void lockstep_run_destroy(lockstep_run* run) { delete run; }

}  // extern "C"
