#include "backend/vulkan/capabilities.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>

namespace lockstep::backend::vulkan {
namespace {

constexpr std::string_view kValidNames =
    "all, int-dot, cooperative-matrix, int8, subgroup, unified-memory, timestamps, "
    "shared-memory=BYTES, invocations=N, "
    "workgroups=N, subgroup-size=N, device-class=NAME";

void limit_invocations(uint32_t limit, Capabilities& capabilities) {
  capabilities.max_workgroup_invocations = std::min(capabilities.max_workgroup_invocations, limit);
  for (uint32_t& size : capabilities.max_workgroup_size) {
    size = std::min(size, limit);
  }
}

void disable_integer_dot_product(Capabilities& capabilities) {
  capabilities.integer_dot_product = false;
  capabilities.integer_dot_product_accelerated = false;
}

void disable_int8(Capabilities& capabilities) {
  capabilities.storage_8bit = false;
  capabilities.shader_int8 = false;
  capabilities.cooperative_matrices.clear();
}

void disable_subgroups(Capabilities& capabilities) {
  const Capabilities none;
  capabilities.subgroup_arithmetic = none.subgroup_arithmetic;
  capabilities.subgroup_size = none.subgroup_size;
  capabilities.min_subgroup_size = none.min_subgroup_size;
  capabilities.max_subgroup_size = none.max_subgroup_size;
  capabilities.max_workgroup_subgroups = none.max_workgroup_subgroups;
  capabilities.required_subgroup_size = none.required_subgroup_size;
  capabilities.cooperative_matrices.clear();
}

std::string sizes_text(const Capabilities& capabilities) {
  const std::vector<uint32_t> sizes = offered_subgroup_sizes(capabilities);
  return sizes.empty() ? "none" : fmt::format("{}", fmt::join(sizes, ", "));
}

std::string shapes_text(const Capabilities& capabilities) {
  std::vector<std::string> shapes;
  for (const CooperativeMatrixShape& shape : capabilities.cooperative_matrices) {
    shapes.push_back(to_string(shape));
  }
  return shapes.empty() ? "none" : fmt::format("{}", fmt::join(shapes, ", "));
}

Status require_subgroup_size(uint32_t size, Capabilities& capabilities) {
  if (!std::has_single_bit(size)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "capability mask: subgroup-size={} is not a power of two", size);
  }
  if (size < capabilities.min_subgroup_size || size > capabilities.max_subgroup_size) {
    return make_error(ErrorCode::kUnsupported,
                      "capability mask: subgroup-size={}; the sizes this device offers are: {}",
                      size, sizes_text(capabilities));
  }
  if (capabilities.min_subgroup_size == capabilities.max_subgroup_size) {
    return {};  // it has that size anyway
  }
  if (size != capabilities.subgroup_size) {
    capabilities.cooperative_matrices.clear();
  }
  capabilities.required_subgroup_size = size;
  capabilities.subgroup_size = size;
  // Pipelines that ask may have workgroups of so many subgroups only.
  limit_invocations(size * capabilities.max_workgroup_subgroups, capabilities);
  return {};
}

// Every limit of a Vulkan 1.1 minimum device that `capabilities` exceeds, and no feature.
void mask_everything(Capabilities& capabilities) {
  const Capabilities minimum;
  limit_invocations(minimum.max_workgroup_invocations, capabilities);
  for (size_t axis = 0; axis < 3; ++axis) {
    capabilities.max_workgroup_size[axis] =
        std::min(capabilities.max_workgroup_size[axis], minimum.max_workgroup_size[axis]);
    capabilities.max_workgroup_count[axis] =
        std::min(capabilities.max_workgroup_count[axis], minimum.max_workgroup_count[axis]);
  }
  capabilities.max_shared_memory =
      std::min(capabilities.max_shared_memory, minimum.max_shared_memory);
  capabilities.max_storage_buffer_range =
      std::min(capabilities.max_storage_buffer_range, minimum.max_storage_buffer_range);
  capabilities.min_storage_buffer_offset_alignment =
      std::max(capabilities.min_storage_buffer_offset_alignment,
               minimum.min_storage_buffer_offset_alignment);
  capabilities.max_texel_buffer_elements =
      std::min(capabilities.max_texel_buffer_elements, minimum.max_texel_buffer_elements);
  capabilities.min_texel_buffer_offset_alignment = std::max(
      capabilities.min_texel_buffer_offset_alignment, minimum.min_texel_buffer_offset_alignment);
  capabilities.max_push_constants =
      std::min(capabilities.max_push_constants, minimum.max_push_constants);
  disable_integer_dot_product(capabilities);
  disable_int8(capabilities);
  disable_subgroups(capabilities);
  capabilities.unified_memory = false;
  capabilities.timestamps = false;
  capabilities.device_class = minimum.device_class;
}

std::optional<uint32_t> parse_positive(std::string_view digits) {
  uint32_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stopped_at, problem] = std::from_chars(digits.data(), end, value);
  if (problem != std::errc{} || stopped_at != end || value == 0) {
    return std::nullopt;
  }
  return value;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

Status assume_device_class(std::string_view name, Capabilities& capabilities) {
  if (const auto device_class = parse_device_class(name)) {
    capabilities.device_class = *device_class;
    return {};
  }
  std::vector<std::string_view> names;
  for (const DeviceClass device_class : kAllDeviceClasses) {
    names.push_back(device_class_name(device_class));
  }
  return make_error(ErrorCode::kInvalidArgument,
                    "capability mask: unknown device-class '{}'; valid are: {}", name,
                    fmt::join(names, ", "));
}

Status apply_item(std::string_view item, Capabilities& capabilities) {
  const size_t equals = item.find('=');
  const std::string_view name = item.substr(0, equals);
  if (name == "device-class") {
    return assume_device_class(
        equals == std::string_view::npos ? std::string_view{} : item.substr(equals + 1),
        capabilities);
  }
  if (name == "shared-memory" || name == "invocations" || name == "workgroups" ||
      name == "subgroup-size") {
    const auto limit =
        equals == std::string_view::npos ? std::nullopt : parse_positive(item.substr(equals + 1));
    if (!limit) {
      return make_error(ErrorCode::kInvalidArgument,
                        "capability mask '{}': {} needs a positive number, '{}=...'", item, name,
                        name);
    }
    if (name == "subgroup-size") {
      return require_subgroup_size(*limit, capabilities);
    }
    if (name == "invocations") {
      limit_invocations(*limit, capabilities);
    } else if (name == "workgroups") {
      uint32_t& columns = capabilities.max_workgroup_count[0];
      columns = std::min(columns, *limit);
    } else {
      capabilities.max_shared_memory = std::min(capabilities.max_shared_memory, *limit);
    }
    return {};
  }
  if (item == "all") {
    mask_everything(capabilities);
  } else if (item == "int-dot") {
    disable_integer_dot_product(capabilities);
  } else if (item == "cooperative-matrix") {
    capabilities.cooperative_matrices.clear();
  } else if (item == "int8") {
    disable_int8(capabilities);
  } else if (item == "subgroup") {
    disable_subgroups(capabilities);
  } else if (item == "unified-memory") {
    capabilities.unified_memory = false;
  } else if (item == "timestamps") {
    capabilities.timestamps = false;
  } else {
    return make_error(ErrorCode::kInvalidArgument,
                      "unknown capability '{}' in the mask; valid are: {}", item, kValidNames);
  }
  return {};
}

std::string yes_or_no(bool value) { return value ? "yes" : "no"; }

}  // namespace

std::string to_string(const CooperativeMatrixShape& shape) {
  const auto type = [](bool is_signed) { return is_signed ? "s8" : "u8"; };
  return fmt::format(
      "{}x{}x{} {}*{}{}", shape.rows, shape.columns, shape.depth, type(shape.is_left_signed),
      type(shape.is_right_signed),
      shape.scope == CooperativeMatrixShape::Scope::kWorkgroup ? " (workgroup)" : "");
}

Status apply_mask(std::string_view mask, Capabilities& capabilities) {
  Capabilities masked = capabilities;
  while (!mask.empty()) {
    const size_t comma = mask.find(',');
    const std::string_view item = trimmed(mask.substr(0, comma));
    mask = comma == std::string_view::npos ? std::string_view{} : mask.substr(comma + 1);
    if (item.empty()) {
      continue;
    }
    if (Status status = apply_item(item, masked); !status) {
      return status;
    }
  }
  capabilities = masked;
  return {};
}

std::vector<uint32_t> offered_subgroup_sizes(const Capabilities& capabilities) {
  std::vector<uint32_t> sizes;
  if (capabilities.min_subgroup_size > 0) {
    for (uint64_t size = capabilities.min_subgroup_size; size <= capabilities.max_subgroup_size;
         size *= 2) {
      sizes.push_back(static_cast<uint32_t>(size));
    }
  }
  return sizes;
}

std::vector<std::pair<std::string, std::string>> describe(const Capabilities& capabilities) {
  const auto& size = capabilities.max_workgroup_size;
  const auto& count = capabilities.max_workgroup_count;
  return {
      {"device class", std::string(device_class_name(capabilities.device_class))},
      {"workgroup invocations", fmt::format("{}", capabilities.max_workgroup_invocations)},
      {"workgroup size", fmt::format("{} x {} x {}", size[0], size[1], size[2])},
      {"workgroup count", fmt::format("{} x {} x {}", count[0], count[1], count[2])},
      {"shared memory", fmt::format("{} bytes", capabilities.max_shared_memory)},
      {"storage buffer range", fmt::format("{} bytes", capabilities.max_storage_buffer_range)},
      {"storage buffer alignment",
       fmt::format("{} bytes", capabilities.min_storage_buffer_offset_alignment)},
      {"texel buffer elements", fmt::format("{}", capabilities.max_texel_buffer_elements)},
      {"texel buffer alignment",
       fmt::format("{} bytes", capabilities.min_texel_buffer_offset_alignment)},
      {"push constants", fmt::format("{} bytes", capabilities.max_push_constants)},
      {"subgroup size", fmt::format("{}", capabilities.subgroup_size)},
      {"subgroup sizes", sizes_text(capabilities)},
      {"subgroup arithmetic", yes_or_no(capabilities.subgroup_arithmetic)},
      {"integer dot product", capabilities.integer_dot_product_accelerated ? "yes, accelerated"
                              : capabilities.integer_dot_product           ? "yes, not accelerated"
                                                                           : "no"},
      {"cooperative matrices", shapes_text(capabilities)},
      {"8-bit storage", yes_or_no(capabilities.storage_8bit)},
      {"8-bit integers", yes_or_no(capabilities.shader_int8)},
      {"unified memory", yes_or_no(capabilities.unified_memory)},
      {"timestamps", yes_or_no(capabilities.timestamps)},
  };
}

}  // namespace lockstep::backend::vulkan
