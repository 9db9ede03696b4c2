#include "delegate_api/c_api_internal.h"
#include "delegate_api/list_option.h"

namespace lockstep::c_api {
namespace {

using delegate::Engine;
using delegate::EngineOptions;
using delegate::Executor;

Result<EngineOptions> read_options(const lockstep_engine_options* given) {
  const auto options = read_struct(given, "options");
  if (!options) {
    return tl::unexpected(options.error());
  }
  if (options->reserved != 0) {
    return make_error(ErrorCode::kInvalidArgument, "options: reserved must be 0");
  }
  EngineOptions engine;
  if (options->contract != nullptr) {
    const auto contract = numerics::parse_contract(options->contract);
    if (!contract) {
      std::string valid;
      for (const numerics::Contract candidate : numerics::kAllContracts) {
        valid += (valid.empty() ? "" : ", ") + std::string(numerics::contract_name(candidate));
      }
      return make_error(ErrorCode::kInvalidArgument, "options: no contract is '{}'; contracts: {}",
                        options->contract, valid);
    }
    engine.partition.contract = *contract;
  }
  engine.partition.allow_ops = delegate::split_list(text_or_empty(options->allow_ops));
  engine.partition.deny_ops = delegate::split_list(text_or_empty(options->deny_ops));
  engine.partition.min_nodes = options->min_nodes;
  engine.partition.max_partitions = options->max_partitions;
  engine.keep_all_tensors = options->keep_all_tensors != 0;
  engine.compile.runs_in_flight = options->runs_in_flight == 0 ? 1 : options->runs_in_flight;
  engine.compile.tune = options->tune != 0;
  engine.profile = text_or_empty(options->profile);
  engine.host_threads = options->host_threads;
  return engine;
}

Status create_engine(const lockstep_model* model, const lockstep_device* device,
                     const lockstep_engine_options* given, lockstep_engine** engine) {
  if (const Status has_model = require(model, "model"); !has_model) {
    return has_model;
  }
  const auto options = read_options(given);
  if (!options) {
    return tl::unexpected(options.error());
  }
  auto created =
      Engine::create(model->graph, device != nullptr ? device->device : nullptr, *options);
  if (!created) {
    return tl::unexpected(created.error());
  }
  *engine = new lockstep_engine{*std::move(created), {}, {}};
  return {};
}

Status copy_contents(Result<std::span<const std::byte>> contents, void* data, size_t size) {
  if (!contents) {
    return tl::unexpected(contents.error());
  }
  if (contents->size() != size) {
    return make_error(ErrorCode::kInvalidArgument, "the tensor has {} bytes, the buffer {}",
                      contents->size(), size);
  }
  if (const Status given = require(data, "data"); !given) {
    return given;
  }
  if (size > 0) {
    std::memcpy(data, contents->data(), size);
  }
  return {};
}

lockstep_executor executor_of(Executor executor) {
  switch (executor) {
    case Executor::kDevice:
      return LOCKSTEP_ON_DEVICE;
    case Executor::kHost:
      return LOCKSTEP_ON_HOST;
    case Executor::kNobody:
      break;
  }
  return LOCKSTEP_NOWHERE;
}

Status get_operator(lockstep_engine* engine, size_t index, lockstep_operator_report* report) {
  if (!engine->reports) {
    engine->reports = engine->engine->operators();
  }
  if (index >= engine->reports->size()) {
    return make_error(ErrorCode::kInvalidArgument, "there are {} operators, none is number {}",
                      engine->reports->size(), index);
  }
  const delegate::OperatorReport& known = (*engine->reports)[index];
  lockstep_operator_report answer{};
  answer.name = known.name.c_str();
  answer.output_name = known.output_name.c_str();
  answer.variant = known.variant.c_str();
  answer.reason = known.reason.c_str();
  answer.executor = executor_of(known.executor);
  answer.step = known.step;
  return write_struct(answer, report, "report");
}

Status get_statistics(const lockstep_engine* engine, lockstep_statistics* statistics) {
  const delegate::EngineStatistics known = engine->engine->statistics();
  lockstep_statistics answer{};
  answer.device_operators = known.device_operators;
  answer.host_operators = known.host_operators;
  answer.unavailable_operators = known.unavailable_operators;
  answer.partitions = known.partitions;
  answer.dispatches = known.device.dispatches;
  answer.pipelines = known.device.pipelines;
  answer.device_constant_bytes = known.device.constant_bytes;
  answer.device_activation_bytes = known.device.arena_bytes;
  return write_struct(answer, statistics, "statistics");
}

}  // namespace
}  // namespace lockstep::c_api

using namespace lockstep::c_api;

extern "C" {

lockstep_status lockstep_engine_create(const lockstep_model* model, lockstep_device* device,
                                       const lockstep_engine_options* options,
                                       lockstep_engine** engine) {
  return guarded([&] {
    return require(engine, "engine").and_then([&] {
      *engine = nullptr;
      return create_engine(model, device, options, engine);
    });
  });
}

void lockstep_engine_destroy(lockstep_engine* engine) { delete engine; }

lockstep_status lockstep_engine_set_input(lockstep_engine* engine, size_t index, const void* data,
                                          size_t size) {
  return guarded([&] {
    return require(engine, "engine").and_then([&] { return require(data, "data"); }).and_then([&] {
      return engine->engine->set_input(index, {static_cast<const std::byte*>(data), size});
    });
  });
}

lockstep_status lockstep_engine_run(lockstep_engine* engine) {
  return guarded([&] {
    return require(engine, "engine").and_then([&] {
      engine->reports.reset();
      return engine->engine->run();
    });
  });
}

lockstep_status lockstep_engine_get_output(const lockstep_engine* engine, size_t index, void* data,
                                           size_t size) {
  return guarded([&] {
    return require(engine, "engine").and_then([&] {
      return copy_contents(engine->engine->output(index), data, size);
    });
  });
}

lockstep_status lockstep_engine_get_tensor(const lockstep_engine* engine, int32_t tensor,
                                           void* data, size_t size) {
  return guarded([&] {
    return require(engine, "engine").and_then([&] {
      return copy_contents(engine->engine->tensor(tensor), data, size);
    });
  });
}

lockstep_status lockstep_engine_get_input_memory(lockstep_engine* engine, size_t index, void** data,
                                                 size_t* size) {
  return guarded([&] {
    return require(engine, "engine")
        .and_then([&] { return require(data, "data"); })
        .and_then([&] { return require(size, "size"); })
        .and_then([&] {
          return engine->engine->input_memory(index).map([&](std::span<std::byte> memory) {
            *data = memory.data();
            *size = memory.size();
          });
        });
  });
}

lockstep_status lockstep_engine_get_output_memory(const lockstep_engine* engine, size_t index,
                                                  const void** data, size_t* size) {
  return guarded([&] {
    return require(engine, "engine")
        .and_then([&] { return require(data, "data"); })
        .and_then([&] { return require(size, "size"); })
        .and_then([&] {
          return engine->engine->output(index).map([&](std::span<const std::byte> memory) {
            *data = memory.data();
            *size = memory.size();
          });
        });
  });
}

lockstep_status lockstep_engine_get_operator(lockstep_engine* engine, size_t index,
                                             lockstep_operator_report* report) {
  return guarded([&] {
    return require(engine, "engine").and_then([&] { return get_operator(engine, index, report); });
  });
}

size_t lockstep_engine_problem_count(const lockstep_engine* engine) {
  return engine != nullptr ? engine->engine->problems().size() : 0;
}

const char* lockstep_engine_get_problem(const lockstep_engine* engine, size_t index) {
  if (engine == nullptr) {
    return nullptr;
  }
  // There are ever more of them, none goes.
  const std::vector<std::string> problems = engine->engine->problems();
  while (engine->problems.size() < problems.size()) {
    engine->problems.push_back(problems[engine->problems.size()]);
  }
  return index < engine->problems.size() ? engine->problems[index].c_str() : nullptr;
}

lockstep_status lockstep_engine_get_statistics(const lockstep_engine* engine,
                                               lockstep_statistics* statistics) {
  return guarded([&] {
    return require(engine, "engine").and_then([&] { return get_statistics(engine, statistics); });
  });
}

}  // extern "C"
