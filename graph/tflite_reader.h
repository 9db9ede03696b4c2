// Reads .tflite files (flatbuffers, schema version 3). Nothing a file says is believed unverified.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace lockstep::graph {

// Reads the first subgraph. `bytes` is copied only where `owner` is null; otherwise the graph's
// constants point into `bytes`, and `owner` keeps them alive. `name` is what messages call the
// file. The returned graph passed validate().
Result<Graph> read_tflite(std::span<const std::byte> bytes, std::string name,
                          std::shared_ptr<const void> owner = nullptr);

// kNotFound when the file cannot be opened, kInvalidModel when it cannot be believed.
Result<Graph> read_tflite_file(const std::filesystem::path& path);

Result<std::vector<std::byte>> read_file_bytes(const std::filesystem::path& path);

// kUnsupported for files that are larger than a .tflite file can be.
Result<std::vector<std::byte>> read_tflite_file_bytes(const std::filesystem::path& path);

}  // namespace lockstep::graph
