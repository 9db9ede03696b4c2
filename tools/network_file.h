// Networks that a command changes, from file to file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "graph/editable_model.h"
#include "graph/status.h"

namespace lockstep::tools {

struct NetworkToEdit {
  std::vector<std::byte> bytes;
  graph::EditableModel model;
};
// The file is one that graph::read_tflite() takes, too. Dimensions of scales that TFLite 2.9 would
// refuse are put right in both.
Result<NetworkToEdit> read_network_to_edit(const std::filesystem::path& path);

// The bytes of a file, one that graph::read_tflite() takes: kInternal where it does not. `path` is
// for messages.
Result<std::vector<std::byte>> network_bytes(const graph::EditableModel& model,
                                             const std::filesystem::path& path);

// In whole or not at all.
Status write_network_bytes(std::span<const std::byte> bytes, const std::filesystem::path& path);
// Returns the file's size.
Result<size_t> write_network(const graph::EditableModel& model, const std::filesystem::path& path);

}  // namespace lockstep::tools
