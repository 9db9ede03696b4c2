#include "tools/plan_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/table.h"

namespace lockstep::tools {
namespace {

using backend::PlannedOperator;
using backend::PlannedTensor;
using backend::ProgramPlan;

std::string names_of(const graph::Graph& graph, const PlannedTensor& piece) {
  std::string names;
  for (const int32_t tensor : piece.tensors) {
    names += (names.empty() ? "" : " = ") + graph.tensors[static_cast<size_t>(tensor)].name;
  }
  for (const int32_t part : piece.parts) {
    names += (part == piece.parts.front() ? " of " : ", ") +
             graph.tensors[static_cast<size_t>(part)].name;
  }
  return names;
}

}  // namespace

std::string kernel_table(const graph::Graph& graph, const ProgramPlan& plan) {
  Table table({{.title = "#", .align = Align::kRight},
               {.title = "operator"},
               {.title = "kernel"},
               {.title = "chosen by"},
               {.title = "dispatches", .align = Align::kRight},
               {.title = "constant bytes", .align = Align::kRight}});
  for (const PlannedOperator& op : plan.operators) {
    const auto index = static_cast<size_t>(op.source_operator);
    table.add_row({fmt::format("{}", index), graph.operators[index].name, op.kernel,
                   std::string(backend::chosen_by_name(op.chosen_by)),
                   fmt::format("{}", op.dispatches), fmt::format("{}", op.constant_bytes)});
  }
  return table.to_string();
}

std::string memory_table(const graph::Graph& graph, const ProgramPlan& plan) {
  Table table({{.title = "memory"},
               {.title = "offset", .align = Align::kRight},
               {.title = "bytes", .align = Align::kRight},
               {.title = "first", .align = Align::kRight},
               {.title = "last", .align = Align::kRight},
               {.title = "tensor"}});
  for (const PlannedTensor& piece : plan.tensors) {
    const bool is_constant = piece.memory == PlannedTensor::Memory::kConstants;
    table.add_row({std::string(backend::planned_memory_name(piece.memory)),
                   fmt::format("{}", piece.offset), fmt::format("{}", piece.bytes),
                   is_constant ? "" : fmt::format("{}", piece.first),
                   is_constant ? "" : fmt::format("{}", piece.last), names_of(graph, piece)});
  }
  const double ratio =
      plan.arena_lower_bound == 0
          ? 1.0
          : static_cast<double>(plan.arena_bytes) / static_cast<double>(plan.arena_lower_bound);
  return fmt::format(
      "arena {} bytes, {:.3f} of the lower bound {}; border {}, staging {}, constants {} bytes\n{}",
      plan.arena_bytes, ratio, plan.arena_lower_bound, plan.border_bytes, plan.staging_bytes,
      plan.constant_bytes, table.to_string());
}

std::string arena_picture(const ProgramPlan& plan, size_t rows, size_t maximum_columns) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  if (plan.arena_bytes == 0) {
    return "";
  }
  int32_t last_step = 0;
  for (const PlannedTensor& piece : plan.tensors) {
    last_step = std::max(last_step, piece.last);
  }
  const auto steps = static_cast<size_t>(last_step) + 1;
  const size_t steps_a_column = (steps + maximum_columns - 1) / maximum_columns;
  const size_t columns = (steps + steps_a_column - 1) / steps_a_column;
  const auto row_of = [&](int64_t byte) {
    return static_cast<size_t>(byte * static_cast<int64_t>(rows) / plan.arena_bytes);
  };
  std::vector<std::string> lines(rows, std::string(columns, '.'));
  size_t count = 0;
  for (const PlannedTensor& piece : plan.tensors) {
    if (piece.memory != PlannedTensor::Memory::kArena) {
      continue;
    }
    const char letter = kLetters[count++ % kLetters.size()];
    const size_t top = row_of(piece.offset + piece.bytes - 1);
    for (size_t row = row_of(piece.offset); row <= top; ++row) {
      for (size_t column = static_cast<size_t>(piece.first) / steps_a_column;
           column <= static_cast<size_t>(piece.last) / steps_a_column; ++column) {
        lines[row][column] = letter;
      }
    }
  }
  std::string picture;
  for (size_t row = rows; row-- > 0;) {
    picture += fmt::format(
        "{:>12} |{}\n", plan.arena_bytes * static_cast<int64_t>(row) / static_cast<int64_t>(rows),
        lines[row]);
  }
  return picture +
         fmt::format("{:>12} +{} steps 0 to {}\n", "bytes", std::string(columns, '-'), last_step);
}

nlohmann::json plan_json(const ProgramPlan& plan) {
  nlohmann::json operators = nlohmann::json::array();
  for (const PlannedOperator& op : plan.operators) {
    operators.push_back({{"operator", op.source_operator},
                         {"kernel", op.kernel},
                         {"chosen_by", backend::chosen_by_name(op.chosen_by)},
                         {"dispatches", op.dispatches},
                         {"constant_bytes", op.constant_bytes}});
  }
  nlohmann::json tensors = nlohmann::json::array();
  for (const PlannedTensor& piece : plan.tensors) {
    tensors.push_back({{"tensors", piece.tensors},
                       {"parts", piece.parts},
                       {"memory", backend::planned_memory_name(piece.memory)},
                       {"offset", piece.offset},
                       {"bytes", piece.bytes},
                       {"first", piece.first},
                       {"last", piece.last}});
  }
  return {{"operators", std::move(operators)},    {"tensors", std::move(tensors)},
          {"arena_bytes", plan.arena_bytes},      {"arena_lower_bound", plan.arena_lower_bound},
          {"border_bytes", plan.border_bytes},    {"staging_bytes", plan.staging_bytes},
          {"constant_bytes", plan.constant_bytes}};
}

}  // namespace lockstep::tools
