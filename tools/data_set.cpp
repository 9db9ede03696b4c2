#include "tools/data_set.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <utility>

#include "tools/input_rows.h"
#include "tools/npz.h"

namespace lockstep::tools {
namespace {

namespace fs = std::filesystem;

// All rows of one input, file after file.
class RowList {
 public:
  void append(std::unique_ptr<InputRows> rows) {
    if (rows->count() == 0) return;
    ends_.push_back(count() + rows->count());
    parts_.push_back(std::move(rows));
  }
  size_t count() const { return ends_.empty() ? 0 : ends_.back(); }

  Result<std::vector<std::byte>> read(size_t index) const {
    const auto [part, row] = find(index);
    return part->read(row);
  }
  std::string name(size_t index) const {
    const auto [part, row] = find(index);
    return part->name(row);
  }

 private:
  std::pair<const InputRows*, size_t> find(size_t index) const {
    const auto end = std::upper_bound(ends_.begin(), ends_.end(), index);
    const size_t begin = end == ends_.begin() ? 0 : *std::prev(end);
    return {parts_[static_cast<size_t>(end - ends_.begin())].get(), index - begin};
  }

  std::vector<std::unique_ptr<InputRows>> parts_;
  std::vector<size_t> ends_;  // of each part, in rows of the list
};

// The data of every input. The rows point into it: it never moves.
struct DataSet {
  Preprocessing preprocessing;
  CropRows crops;  // of each photo
  std::vector<InputSlot> slots;
  std::vector<RowList> rows;     // one for each slot
  std::vector<size_t> selected;  // samples, ascending

  size_t samples_of(size_t input) const { return rows[input].count() / slots[input].batch; }

  Result<quantization::Sample> read(size_t index) const {
    quantization::Sample sample;
    for (size_t input = 0; input < slots.size(); ++input) {
      std::vector<std::byte>& bytes = sample.emplace_back();
      bytes.reserve(slots[input].batch * slots[input].row_bytes);
      const size_t first = selected[index] * slots[input].batch;
      for (size_t row = first; row < first + slots[input].batch; ++row) {
        const auto row_bytes = rows[input].read(row);
        if (!row_bytes) return tl::unexpected(row_bytes.error());
        bytes.insert(bytes.end(), row_bytes->begin(), row_bytes->end());
      }
    }
    return sample;
  }
  std::string name(size_t index) const { return rows[0].name(selected[index] * slots[0].batch); }
};

// What of `data` is for which inputs.
struct NamedPath {
  std::optional<size_t> input;  // nullopt: for all of them
  fs::path path;
};

Result<NamedPath> parse_data(const std::string& data, const std::vector<InputSlot>& slots) {
  const size_t equals = data.find('=');
  std::error_code ignored;
  if (equals == std::string::npos || fs::exists(data, ignored)) return NamedPath{{}, data};
  const std::string name = data.substr(0, equals);
  std::string known;
  for (size_t input = 0; input < slots.size(); ++input) {
    if (slots[input].tensor.name == name) return NamedPath{input, data.substr(equals + 1)};
    known +=
        fmt::format("{}'{}'", input == 0 ? "" : ", ", graph::printable(slots[input].tensor.name));
  }
  return make_error(ErrorCode::kInvalidArgument,
                    "there is neither a file '{}' nor an input '{}'; the network's inputs are: {}",
                    data, name, known);
}

// The files in a folder and below it, by name.
Result<std::vector<fs::path>> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const bool is_hidden = entry->path().filename().string().starts_with('.');
    if (entry->is_directory(error)) {
      if (is_hidden) entry.disable_recursion_pending();
    } else if (!is_hidden) {
      files.push_back(entry->path());
    }
  }
  if (error) {
    return make_error(ErrorCode::kNotFound, "cannot read the folder '{}': {}", folder.string(),
                      error.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Fills the rows of a data set from files.
class DataLoader {
 public:
  explicit DataLoader(DataSet& set) : set_(set) {}

  Status add(const NamedPath& data) {
    std::error_code error;
    const fs::file_status status = fs::status(data.path, error);
    if (!fs::exists(status)) {
      return make_error(ErrorCode::kNotFound, "there is no '{}'", data.path.string());
    }
    if (!fs::is_directory(status)) return add_file(data.input, data.path);
    const auto files = files_in(data.path);
    if (!files) return tl::unexpected(files.error());
    if (files->empty()) {
      return make_error(ErrorCode::kInvalidArgument, "the folder '{}' holds no data",
                        data.path.string());
    }
    for (const fs::path& file : *files) {
      if (Status added = add_file(data.input, file); !added) return added;
    }
    return {};
  }

 private:
  Status add_file(std::optional<size_t> input, const fs::path& file) {
    if (file.extension() == ".npz") return add_archive(input, file);
    if (!input && set_.slots.size() > 1) {
      return make_error(ErrorCode::kInvalidArgument,
                        "'{}' fills one input, and the network has {}: give INPUT={} for each, or "
                        "a .npz with arrays for all",
                        file.string(), set_.slots.size(), file.string());
    }
    const size_t filled = input.value_or(0);
    const InputSlot& slot = set_.slots[filled];
    CropRows crops = set_.crops;
    crops.first = set_.rows[filled].count();
    auto rows = file.extension() == ".npy" ? npy_rows(slot, set_.preprocessing, file)
                : has_image_suffix(file)   ? image_rows(slot, set_.preprocessing, crops, file)
                                           : raw_rows(slot, file);
    if (!rows) return tl::unexpected(rows.error());
    set_.rows[filled].append(std::move(*rows));
    return {};
  }

  Status add_archive(std::optional<size_t> input, const fs::path& file) {
    auto members = read_npz(file);
    if (!members) return tl::unexpected(members.error());
    std::vector<size_t> inputs;
    if (input) {
      inputs = {*input};
    } else {
      inputs.resize(set_.slots.size());
      std::iota(inputs.begin(), inputs.end(), size_t{0});
    }
    const auto assigned = assign(*members, inputs, file);
    if (!assigned) return tl::unexpected(assigned.error());
    for (size_t i = 0; i < inputs.size(); ++i) {
      NpzMember& member = (*members)[(*assigned)[i]];
      auto rows = array_rows(set_.slots[inputs[i]], set_.preprocessing, std::move(member.array),
                             fmt::format("{}[{}]", file.string(), graph::printable(member.name)));
      if (!rows) return tl::unexpected(rows.error());
      set_.rows[inputs[i]].append(std::move(*rows));
    }
    return {};
  }

  // The member for each of the inputs: by their names, or one after the other.
  Result<std::vector<size_t>> assign(const std::vector<NpzMember>& members,
                                     const std::vector<size_t>& inputs,
                                     const fs::path& file) const {
    std::vector<size_t> by_name;
    for (const size_t input : inputs) {
      const auto member =
          std::find_if(members.begin(), members.end(), [&](const NpzMember& candidate) {
            return candidate.name == set_.slots[input].tensor.name;
          });
      if (member != members.end()) by_name.push_back(static_cast<size_t>(member - members.begin()));
    }
    if (by_name.size() == inputs.size()) return by_name;
    if (members.size() == inputs.size()) {
      std::vector<size_t> by_order(inputs.size());
      std::iota(by_order.begin(), by_order.end(), size_t{0});
      return by_order;
    }
    std::string names;
    for (const NpzMember& member : members) {
      names += fmt::format("{}'{}'", names.empty() ? "" : ", ", graph::printable(member.name));
    }
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' holds {}: neither arrays with the names of the {} inputs (the first is "
                      "'{}'), nor as many",
                      file.string(), names.empty() ? "nothing" : names, inputs.size(),
                      graph::printable(set_.slots[inputs[0]].tensor.name));
  }

  DataSet& set_;
};

// Every input has data, and the same number of samples: that number.
Result<size_t> common_count(const DataSet& set) {
  for (size_t input = 0; input < set.slots.size(); ++input) {
    const std::string name = graph::printable(set.slots[input].tensor.name);
    if (set.samples_of(input) == 0) {
      return make_error(ErrorCode::kInvalidArgument,
                        "there are no data for input '{}': {} of the {} rows of a sample", name,
                        set.rows[input].count(), set.slots[input].batch);
    }
    if (set.samples_of(input) != set.samples_of(0)) {
      return make_error(ErrorCode::kInvalidArgument,
                        "the data hold {} samples of input '{}', but {} of input '{}'",
                        set.samples_of(0), graph::printable(set.slots[0].tensor.name),
                        set.samples_of(input), name);
    }
  }
  return set.samples_of(0);
}

// `wanted` of the indices below `count`, ascending. The generator's raw output only: distributions
// differ between standard libraries, and a seed must mean the same samples everywhere.
std::vector<size_t> choose(size_t count, size_t wanted, uint64_t seed) {
  std::vector<size_t> indices(count);
  std::iota(indices.begin(), indices.end(), size_t{0});
  if (wanted == 0 || wanted >= count) return indices;
  std::mt19937_64 dice(seed);
  for (size_t i = 0; i < wanted; ++i) std::swap(indices[i], indices[i + dice() % (count - i)]);
  indices.resize(wanted);
  std::sort(indices.begin(), indices.end());
  return indices;
}

}  // namespace

void DataOptions::add_options(CLI::App& command) {
  command
      .add_option("--data", data,
                  "Representative inputs: a folder of photos or arrays, .npy, .npz or raw files; "
                  "repeat for more, INPUT=PATH for one of several inputs")
      ->allow_extra_args(false);
  command.add_option("--samples", samples, "How many of them to use (default: all)")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--crops", crops,
                  "Of every photo so many random parts, from the input's size on, instead of the "
                  "photo: a representative set from a few photos")
      ->check(CLI::Range(1, 10000));
  command.add_option("--seed", seed, "Which of them, where not all are used; and which crops")
      ->capture_default_str();
  preprocessing.add_options(command);
}

Result<quantization::SampleSource> open_data_set(const graph::Graph& graph,
                                                 const DataOptions& options) {
  if (graph.inputs.empty()) {
    return make_error(ErrorCode::kUnsupported, "'{}' has no inputs", graph.name);
  }
  if (options.data.empty()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "there are no data: --data names a folder or files with inputs");
  }
  const auto set = std::make_shared<DataSet>();
  set->preprocessing = options.preprocessing;
  set->crops = {.count = options.crops, .seed = options.seed};
  for (const int32_t input : graph.inputs) {
    auto slot = input_slot(graph.tensors[static_cast<size_t>(input)]);
    if (!slot) return tl::unexpected(slot.error());
    set->slots.push_back(std::move(*slot));
  }
  set->rows.resize(set->slots.size());
  DataLoader loader(*set);
  for (const std::string& data : options.data) {
    const auto named = parse_data(data, set->slots);
    if (!named) return tl::unexpected(named.error());
    if (Status added = loader.add(*named); !added) return tl::unexpected(added.error());
  }
  const auto count = common_count(*set);
  if (!count) return tl::unexpected(count.error());
  set->selected = choose(*count, options.samples, options.seed);
  return quantization::SampleSource{.count = set->selected.size(),
                                    .read = [set](size_t index) { return set->read(index); },
                                    .name = [set](size_t index) { return set->name(index); }};
}

}  // namespace lockstep::tools
