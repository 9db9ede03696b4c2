// One operator made ready to run: parameters packed, work cut into tasks.
//
// The byte domain. Every 8-bit tensor of a program is held as uint8: q + 128 for a stored value q
// (see lowered_graph.h), which is q ^ 0x80, and uint8 tensors as they are. Integer products of the
// fastest instructions (vpdpbusd, tdpbusd, usmmla) are of unsigned activations and signed weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "backend/cpu/isa.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::backend::cpu {

// q + 128 of a stored value, and back.
constexpr uint8_t to_byte(int32_t stored) { return static_cast<uint8_t>(stored + 128); }
constexpr int8_t from_byte(uint8_t byte) { return static_cast<int8_t>(byte ^ 0x80u); }

// Kernels may read, but never write, so many bytes beyond a tensor.
inline constexpr int64_t kReadSlack = 64;

// Alignment of every tensor and of scratch memory.
inline constexpr int64_t kAlignment = 64;

// What operations are prepared for.
struct Target {
  Isa isa = Isa::kSse4;
  int32_t threads = 1;  // that may run tasks at once
};

// Where the tensors of a run are, by index into LoweredGraph::tensors; null where no operation
// touches one.
using TensorMemory = std::span<std::byte* const>;

// Immutable once made; tasks of one run, and several runs, may be under way at once.
class Operation {
 public:
  virtual ~Operation() = default;

  // How it is computed: "convolution avx512-vnni".
  virtual std::string variant() const = 0;

  // Weights and parameters that it keeps.
  virtual int64_t constant_bytes() const { return 0; }

  // Memory that a task needs for itself, aligned to kAlignment.
  virtual int64_t scratch_bytes() const { return 0; }

  // Parts of the work, at least 1, which may be done at once and in any order.
  virtual int64_t tasks() const { return 1; }

  virtual void run(int64_t task, TensorMemory tensors, std::byte* scratch) const = 0;
};

// A tensor's elements.
template <typename T>
T* elements(TensorMemory tensors, int32_t tensor) {
  return reinterpret_cast<T*>(tensors[static_cast<size_t>(tensor)]);
}

// Rows begin <= i < end.
struct Range {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end - begin; }
};

// What task `task` of `tasks` does of `rows` rows: parts of equal size but for one row.
constexpr Range part(int64_t rows, int64_t tasks, int64_t task) {
  return {rows * task / tasks, rows * (task + 1) / tasks};
}

// Into how many tasks work of about so many nanoseconds is cut, at most `rows`: one where starting
// a second thread would take longer than the work, else a few for each thread.
int64_t task_count(int64_t rows, double nanoseconds, const Target& target);

// Makes one operator ready. kOutOfMemory where its constants do not fit.
Result<std::unique_ptr<Operation>> prepare_operation(const graph::LoweredGraph& graph,
                                                     const graph::LoweredOperator& op,
                                                     const Target& target);

}  // namespace lockstep::backend::cpu
