#include "graph/tflite_completeness.h"

#include <flatbuffers/minireflect.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "graph/copy_budget.h"

namespace lockstep::graph {
namespace {

using flatbuffers::ElementaryType;
using flatbuffers::Table;
using flatbuffers::TypeTable;

// About what the object of a table takes beside the table's contents.
constexpr size_t kObjectSize = 64;

flatbuffers::voffset_t slot_of(size_t field) {
  return flatbuffers::FieldIndexToOffset(static_cast<flatbuffers::voffset_t>(field));
}

const std::byte* address(const void* object) { return static_cast<const std::byte*>(object); }

template <typename T>
T read(const std::byte* place) {
  return flatbuffers::ReadScalar<T>(place);
}

// References count from their own place.
const std::byte* follow(const std::byte* reference) {
  return reference + read<flatbuffers::uoffset_t>(reference);
}

// Visits the tables that the verifier has visited, by the generated descriptions of their types.
class CompletenessCheck {
 public:
  CompletenessCheck(std::span<const std::byte> bytes, std::string_view name)
      : bytes_(bytes), name_(name), budget_(bytes.size()) {}

  Status check(const schema::Model& model) {
    if (auto status = visit_table(address(&model), *schema::ModelTypeTable()); !status) {
      return status;
    }
    return check_outside_data(model);
  }

  // What lies behind everything that was visited, from the first byte that is not zero.
  std::span<const std::byte> rest() const {
    const auto behind = bytes_.subspan(std::min(end_, bytes_.size()));
    return {
        std::find_if(behind.begin(), behind.end(), [](std::byte b) { return b != std::byte{}; }),
        behind.end()};
  }

 private:
  // One step from the root to where we are.
  struct Step {
    const char* field;
    std::optional<size_t> element;
  };

  // "subgraphs[0].operators[3].builtin_options"
  std::string path() const {
    std::string text = "model";
    for (const Step& step : path_) {
      text += '.';
      text += step.field;
      if (step.element) text += fmt::format("[{}]", *step.element);
    }
    return text;
  }

  template <typename... Args>
  tl::unexpected<Error> refuse(ErrorCode code, fmt::format_string<Args...> format,
                               Args&&... args) const {
    return make_error(code, "{}: {}: {}", name_, path(),
                      fmt::format(format, std::forward<Args>(args)...));
  }

  // Accounts for a part of the file, and for what its copy takes.
  Status take(const std::byte* begin, size_t size, size_t size_of_copy) {
    end_ = std::max(end_, static_cast<size_t>(begin - bytes_.data()) + size);
    if (budget_.spend(size_of_copy)) return {};
    return refuse(ErrorCode::kInvalidModel,
                  "the file uses the same parts so often that they would be far larger than it is");
  }

  Status visit_table(const std::byte* table, const TypeTable& type) {
    if (auto status = take(table, sizeof(flatbuffers::soffset_t), kObjectSize); !status) {
      return status;
    }
    const auto* fields = reinterpret_cast<const Table*>(table);
    if (auto status = check_newer_fields(address(fields->GetVTable()), type); !status) {
      return status;
    }
    const std::byte* previous = nullptr;
    for (size_t i = 0; i < type.num_elems; ++i) {
      const std::byte* field = address(fields->GetAddressOf(slot_of(i)));
      path_.push_back({type.names[i], std::nullopt});
      if (auto status = visit_field(field, previous, type, i); !status) return status;
      path_.pop_back();
      previous = field;
    }
    return {};
  }

  // `places` is the table's list of where its fields lie, 0 for absent ones. It may be longer than
  // our version of the table.
  Status check_newer_fields(const std::byte* places, const TypeTable& type) {
    const size_t size = read<flatbuffers::voffset_t>(places);
    if (auto status = take(places, size, 0); !status) return status;
    for (size_t i = type.num_elems; slot_of(i) < size; ++i) {
      if (read<flatbuffers::voffset_t>(places + slot_of(i)) == 0) continue;
      return refuse(ErrorCode::kUnsupported,
                    "field {} is of a newer version of the format, and would be lost", i);
    }
    return {};
  }

  // A field is null where it is absent. Which member a union holds is said by the field before it.
  Status visit_field(const std::byte* field, const std::byte* previous, const TypeTable& type,
                     size_t index) {
    const flatbuffers::TypeCode code = type.type_codes[index];
    const auto element = static_cast<ElementaryType>(code.base_type);
    const TypeTable* target = code.sequence_ref < 0 ? nullptr : type.type_refs[code.sequence_ref]();
    const bool is_union =
        element == flatbuffers::ET_SEQUENCE && target->st == flatbuffers::ST_UNION;
    if (is_union) return visit_union(field, previous, *target);
    if (field == nullptr) return {};
    const size_t size = flatbuffers::InlineSize(element, target);
    if (code.is_repeating == 0 && element != flatbuffers::ET_STRING) {
      if (auto status = take(field, size, size); !status) return status;
      return element == flatbuffers::ET_SEQUENCE ? visit_table(follow(field), *target) : Status{};
    }
    if (auto status = take(field, sizeof(flatbuffers::uoffset_t), 0); !status) return status;
    if (element == flatbuffers::ET_STRING) return visit_list(follow(field), 1, 1, nullptr);
    return visit_list(follow(field), size, 0, target);
  }

  // Strings and vectors: a length, elements, and behind strings a zero.
  Status visit_list(const std::byte* list, size_t element_size, size_t behind,
                    const TypeTable* table) {
    const size_t count = read<flatbuffers::uoffset_t>(list);
    const std::byte* elements = list + sizeof(flatbuffers::uoffset_t);
    const size_t size = count * element_size + behind;
    if (auto status = take(elements, size, size); !status) return status;
    // The verifier looks at the length's place only, and elements may be larger.
    if (static_cast<size_t>(elements - bytes_.data()) % element_size != 0) {
      return refuse(ErrorCode::kInvalidModel, "its elements of {} bytes are not aligned",
                    element_size);
    }
    if (table == nullptr || table->st != flatbuffers::ST_TABLE) return {};
    for (size_t i = 0; i < count; ++i) {
      path_.back().element = i;
      if (auto status = visit_table(follow(elements + i * element_size), *table); !status) {
        return status;
      }
    }
    return {};
  }

  Status visit_union(const std::byte* field, const std::byte* type_field,
                     const TypeTable& members) {
    const size_t member = type_field == nullptr ? 0 : read<uint8_t>(type_field);
    if (member >= members.num_elems) {
      return refuse(ErrorCode::kUnsupported,
                    "kind {} is of a newer version of the format, and would be lost", member);
    }
    if ((field == nullptr) != (member == 0)) {
      return refuse(ErrorCode::kInvalidModel, "its kind is {}, but its contents are {}",
                    members.names[member], field == nullptr ? "absent" : "there");
    }
    if (field == nullptr) return {};
    if (auto status = take(field, sizeof(flatbuffers::uoffset_t), 0); !status) return status;
    const int reference = members.type_codes[member].sequence_ref;
    return visit_table(follow(field), *members.type_refs[reference]());
  }

  // Contents that the flatbuffer only points to. Where they lie counts from the file's beginning,
  // so that they would have to move with the flatbuffer's size.
  Status check_outside_data(const schema::Model& model) const {
    for (flatbuffers::uoffset_t i = 0; i < size_or_zero(model.buffers()); ++i) {
      if (model.buffers()->Get(i)->offset() <= 1) continue;
      return refuse(ErrorCode::kUnsupported, "the contents of buffer {} lie behind the flatbuffer",
                    i);
    }
    if (size_or_zero(model.external_buffers()) > 0) {
      return refuse(ErrorCode::kUnsupported, "constants of the network lie in other files");
    }
    for (const schema::SubGraph* subgraph : *model.subgraphs()) {
      for (flatbuffers::uoffset_t i = 0; i < size_or_zero(subgraph->operators()); ++i) {
        if (subgraph->operators()->Get(i)->large_custom_options_offset() <= 1) continue;
        return refuse(ErrorCode::kUnsupported,
                      "the options of operator {} of subgraph '{}' lie behind the flatbuffer", i,
                      text_or_empty(subgraph->name()));
      }
    }
    return {};
  }

  std::span<const std::byte> bytes_;
  std::string_view name_;
  CopyBudget budget_;
  std::vector<Step> path_;
  size_t end_ = 0;  // of what was visited
};

}  // namespace

Result<std::span<const std::byte>> check_completeness(const schema::Model& model,
                                                      std::span<const std::byte> bytes,
                                                      std::string_view name) {
  CompletenessCheck check(bytes, name);
  if (auto status = check.check(model); !status) return tl::unexpected(status.error());
  return check.rest();
}

}  // namespace lockstep::graph
