#include "bench/models/model_benchmark.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "backend/registry.h"
#include "bench/temporary_folder.h"
#include "graph/tflite_reader.h"
#include "host_ref/tflite_runtime.h"

namespace lockstep::bench {
namespace {

using Clock = std::chrono::steady_clock;

Result<double> timed_run(ModelRunner& runner) {
  const Clock::time_point start = Clock::now();
  if (Status status = runner.run(); !status) return tl::unexpected(status.error());
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Outputs that one of them does not compute say nothing.
SameBits compare(const ModelRunner& runner, const ModelRunner& model_of_it) {
  SameBits verdict = SameBits::kNotCompared;
  for (size_t i = 0; i < std::min(runner.output_count(), model_of_it.output_count()); ++i) {
    const std::vector<std::byte> ours = runner.output(i);
    if (ours.empty()) continue;
    if (ours != model_of_it.output(i)) return SameBits::kDifferent;
    verdict = SameBits::kSame;
  }
  return verdict;
}

// The median start; the memory of the largest.
StartUp summarise_starts(const std::vector<StartUp>& starts) {
  std::vector<double> seconds;
  StartUp summary;
  for (const StartUp& each : starts) {
    seconds.push_back(each.seconds);
    summary.peak_bytes = std::max(summary.peak_bytes, each.peak_bytes);
    summary.device_bytes = std::max(summary.device_bytes, each.device_bytes);
  }
  summary.seconds = median(seconds);
  return summary;
}

Status measure_starts(const Contender& contender, const std::filesystem::path& model,
                      const ModelBenchmarkOptions& options, ContenderResult& result) {
  std::vector<StartUp> cold;
  std::vector<StartUp> warm;
  for (int i = 0; i < options.starts; ++i) {
    const TemporaryFolder ours;
    const TemporaryFolder drivers;
    ContenderSettings settings = options.settings;
    settings.device_options.cache_dir = ours.path().string();
    for (std::vector<StartUp>* starts : {&cold, &warm}) {
      const auto start =
          measure_start_up(options.program, contender, model, settings, drivers.path());
      if (!start) return tl::unexpected(start.error());
      starts->push_back(*start);
    }
  }
  if (!cold.empty()) {
    result.cold = summarise_starts(cold);
    result.warm = summarise_starts(warm);
  }
  return {};
}

Result<ModelResult> run_model(const std::filesystem::path& path,
                              const ModelBenchmarkOptions& options, const Progress& progress) {
  const auto graph = graph::read_tflite_file(path);
  if (!graph) return tl::unexpected(graph.error());
  const auto inputs = random_inputs(*graph);
  if (!inputs) return tl::unexpected(inputs.error());
  ModelResult result;
  result.model = path.string();
  for (const graph::Operator& op : graph->operators) {
    result.multiply_accumulates += graph::multiply_accumulates(*graph, op);
  }

  std::vector<std::unique_ptr<ModelRunner>> runners;
  std::vector<Competitor> competitors;
  std::vector<size_t> result_of;
  for (const Contender* contender : options.contenders) {
    progress(fmt::format("{}, preparing {}", path.filename().string(), contender->name));
    ContenderResult& entry = result.contenders.emplace_back();
    entry.name = contender->name;
    entry.meaning = contender->meaning;
    auto runner = create_runner(*contender, path, options.settings);
    if (!runner) {
      entry.unavailable = runner.error().message;
      continue;
    }
    for (size_t i = 0; i < inputs->size(); ++i) {
      if (Status status = (*runner)->set_input(i, (*inputs)[i]); !status) {
        return tl::unexpected(status.error());
      }
    }
    if (const auto warm = timed_run(**runner); !warm) {
      entry.unavailable = warm.error().message;
      continue;
    }
    competitors.push_back({entry.name, [runner = runner->get()] { return timed_run(*runner); }});
    result_of.push_back(result.contenders.size() - 1);
    runners.push_back(std::move(*runner));
  }

  progress(fmt::format("{}, all in turns", path.filename().string()));
  const auto seconds = measure(competitors, options.measure);
  if (!seconds) return tl::unexpected(seconds.error());
  std::map<std::string_view, const ModelRunner*> runner_of;
  for (size_t i = 0; i < runners.size(); ++i) {
    result.contenders[result_of[i]].latency = summarise((*seconds)[i]);
    runner_of[result.contenders[result_of[i]].name] = runners[i].get();
  }
  for (size_t i = 0; i < runners.size(); ++i) {
    ContenderResult& entry = result.contenders[result_of[i]];
    entry.bits_of = find_contender(entry.name)->has_bits_of();
    if (const ModelRunner* model_of_it = runner_of[entry.bits_of]) {
      entry.same_bits = compare(*runners[i], *model_of_it);
    }
  }
  // Their memory and threads would be the children's neighbours.
  competitors.clear();
  runners.clear();
  for (const size_t index : result_of) {
    ContenderResult& entry = result.contenders[index];
    progress(fmt::format("{}, starts of {}", path.filename().string(), entry.name));
    if (Status status = measure_starts(*find_contender(entry.name), path, options, entry);
        !status) {
      return tl::unexpected(status.error());
    }
  }
  return result;
}

}  // namespace

const ContenderResult* ModelResult::find(std::string_view name) const {
  const auto found = std::ranges::find(contenders, name, &ContenderResult::name);
  return found == contenders.end() || !found->unavailable.empty() ? nullptr : &*found;
}

bool ModelBenchmark::has_differences() const {
  return std::ranges::any_of(models, [](const ModelResult& model) {
    return std::ranges::any_of(model.contenders, [](const ContenderResult& each) {
      return each.same_bits == SameBits::kDifferent;
    });
  });
}

Result<ModelBenchmark> run_model_benchmark(const std::vector<std::filesystem::path>& models,
                                           const ModelBenchmarkOptions& options,
                                           const Progress& progress) {
  ModelBenchmark benchmark;
  // Held for the whole run: a driver that is loaded again for every network costs its time once
  // more.
  const auto device =
      backend::open_device(options.settings.device, options.settings.device_options);
  if (!device) return tl::unexpected(device.error());
  benchmark.device = (*device)->description();
  if (options.settings.tflite_library.empty()) {
    benchmark.tflite_version = "there is none";
  } else {
    const auto library = host_ref::TfliteLibrary::load(options.settings.tflite_library);
    benchmark.tflite_version = library ? (*library)->version() : library.error().message;
  }
  for (const std::filesystem::path& path : models) {
    auto model = run_model(path, options, progress);
    if (!model) return tl::unexpected(model.error());
    benchmark.models.push_back(std::move(*model));
  }
  return benchmark;
}

}  // namespace lockstep::bench
