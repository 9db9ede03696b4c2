// What commands that change a .tflite file have in common.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "graph/editable_model.h"
#include "graph/status.h"

namespace lockstep::tools {

struct NetworkToEdit {
  std::vector<std::byte> bytes;  // as in the file
  graph::EditableModel model;
};
// The file is one that graph::read_tflite() takes, too. Dimensions of scales that TFLite 2.9 would
// refuse are put right.
Result<NetworkToEdit> read_network_to_edit(const std::filesystem::path& path);

// The file of an edited network, which graph::read_tflite() takes: kInternal where it does not.
Result<std::vector<std::byte>> edited_file(const graph::EditableModel& model);

// Whole or not at all.
Status write_network(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace lockstep::tools
