// A .tflite file as a tree of objects that can be changed and written again.
//
// Nothing of a file is lost: what we do not interpret (metadata, signatures, custom operators,
// other subgraphs) is in the tree, and a file that says more than our schema knows is refused.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "graph/status.h"
#include "graph/tflite_schema_generated.h"

namespace lockstep::graph {

struct EditableModel {
  schema::ModelT tree;
  // What lies behind the flatbuffer: a ZIP archive with labels and the like, which TFLite's metadata
  // tools put there, or bytes that nothing points to; empty in most files.
  std::vector<std::byte> archive;
};

// The tree has version 3, at least one subgraph, no null object, no union whose kind is there
// without its contents, and indices of codes, tensors, buffers and subgraphs that lead somewhere
// (those in options aside). kInvalidModel or kUnsupported where that cannot be.
Result<EditableModel> read_editable_model(std::span<const std::byte> bytes, std::string_view name);
Result<EditableModel> read_editable_model_file(const std::filesystem::path& path);

// The file of a model. Reading it gives the model back. A list or text that is empty may be absent
// there; engines take both for the same, and where TFLite does not (the lists of the model, of a
// subgraph and of a signature) it is written. kUnsupported where the contents do not fit a file,
// kInvalidModel where an index leads nowhere.
Result<std::vector<std::byte>> write_editable_model(const EditableModel& model);

}  // namespace lockstep::graph
