// How fast is a whole network on each device against host_ref, and how long does creating it take?
// See README.md beside this file.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backend/registry.h"
#include "delegate_api/engine.h"
#include "graph/tflite_reader.h"

namespace {

using lockstep::Result;
using lockstep::backend::Device;
using lockstep::delegate::Engine;

// A folder for caches that is empty at first and gone afterwards.
class CacheFolder {
 public:
  explicit CacheFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              ("lockstep-benchmark-" + std::to_string(getpid()) + "-" + name)) {
    std::filesystem::create_directories(path_);
  }
  CacheFolder(const CacheFolder&) = delete;
  CacheFolder& operator=(const CacheFolder&) = delete;
  ~CacheFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string string() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// Everything a first inference needs: drivers such as lavapipe compile at the first dispatch of a
// pipeline, so creation without a run would hide the cost.
Result<std::unique_ptr<Engine>> create_and_run(const lockstep::graph::Graph& graph,
                                               const std::string& device,
                                               const std::string& cache_dir) {
  auto opened = lockstep::backend::open_device(device, {.mask = {}, .cache_dir = cache_dir});
  if (!opened) return tl::unexpected(opened.error());
  auto engine = Engine::create(graph, *opened, {});
  if (!engine) return engine;
  if (auto status = (*engine)->run(); !status) return tl::unexpected(status.error());
  return engine;
}

void run_network(benchmark::State& state, const lockstep::graph::Graph& graph,
                 const std::string& device, const std::string& cache_dir) {
  const auto engine = create_and_run(graph, device, cache_dir);
  if (!engine) return state.SkipWithError(engine.error().message.c_str());
  for (auto _ : state) {
    if (auto status = (*engine)->run(); !status) {
      return state.SkipWithError(status.error().message.c_str());
    }
  }
  const auto statistics = (*engine)->statistics();
  state.counters["device_ops"] = static_cast<double>(statistics.device_operators);
  state.counters["host_ops"] = static_cast<double>(statistics.host_operators);
  state.counters["partitions"] = static_cast<double>(statistics.partitions);
}

void create_network(benchmark::State& state, const lockstep::graph::Graph& graph,
                    const std::string& device, const std::string& cache_dir) {
  for (auto _ : state) {
    const auto engine = create_and_run(graph, device, cache_dir);
    if (!engine) return state.SkipWithError(engine.error().message.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  std::vector<std::filesystem::path> models(argv + 1, argv + argc);
  if (models.empty()) {
    std::fprintf(stderr, "usage: network_benchmark [--benchmark_...] MODEL.tflite...\n");
    return 2;
  }
  const CacheFolder cache("pipelines");
  const CacheFolder driver_cache("driver");
  // Mesa keeps a cache of its own: empty at first, so that "cold" is cold.
  setenv("MESA_SHADER_CACHE_DIR", driver_cache.string().c_str(), /*overwrite=*/1);

  const auto devices = lockstep::backend::list_devices();
  std::vector<std::unique_ptr<lockstep::graph::Graph>> graphs;
  for (const auto& model : models) {
    auto graph = lockstep::graph::read_tflite_file(model);
    if (!graph) {
      std::fprintf(stderr, "%s\n", graph.error().message.c_str());
      return 2;
    }
    graphs.push_back(std::make_unique<lockstep::graph::Graph>(std::move(*graph)));
    const lockstep::graph::Graph& kept = *graphs.back();
    for (size_t i = 0; i < devices.size(); ++i) {
      const std::string selector = std::to_string(i);
      const std::string label = model.stem().string() + "/" + devices[i].name;
      const auto register_one = [&](const std::string& name, auto function) {
        return benchmark::RegisterBenchmark(
                   (name + "/" + label).c_str(),
                   [function, &kept, selector, folder = cache.string()](benchmark::State& state) {
                     function(state, kept, selector, folder);
                   })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      };
      if (devices[i].backend != "ref") {
        register_one("create_cold", create_network)->Iterations(1);
        register_one("create_warm", create_network)->Iterations(3);
      }
      register_one("run", run_network);
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
