// Runs a network piece by piece in the real TFLite: all samples go through a few operators before
// any goes further, so that these can be changed once it is known what they make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "graph/status.h"
#include "host_ref/tflite_runtime.h"
#include "quantization/model_editing.h"
#include "quantization/samples.h"

namespace lockstep::quantization {

class StepwiseRun {
 public:
  // `model` stays the caller's, who may change constants of operators that have not been passed
  // yet. Samples are those of the float network: an input that is quantized takes the real numbers
  // of its float32 bytes. As many samples are taken as have room, at least one.
  static Result<StepwiseRun> create(schema::ModelT& model,
                                    std::shared_ptr<const host_ref::TfliteLibrary> library,
                                    const SampleSource& samples, size_t memory_limit,
                                    int32_t threads);

  size_t sample_count() const { return values_.size(); }
  const graph::Graph& graph() const { return graph_; }

  // Runs the operators behind those that were passed, up to number `last`, on every sample, and
  // shows what they make of `tensor`.
  using Visit = std::function<Status(size_t sample, std::span<const std::byte> contents)>;
  Status look(size_t last, int32_t tensor, const Visit& visit);

  // Runs them once more and passes them: later pieces begin behind number `last`.
  Status pass(size_t last);

 private:
  using Values = std::map<int32_t, std::vector<std::byte>>;  // contents, by tensor

  StepwiseRun(schema::ModelT& model, std::shared_ptr<const host_ref::TfliteLibrary> library,
              graph::Graph graph, int32_t threads);

  size_t largest_live_bytes() const;
  bool is_needed_behind(int32_t tensor, size_t last) const;
  std::vector<int32_t> inputs_of_piece(size_t last) const;
  Result<std::unique_ptr<host_ref::TfliteInterpreter>> interpreter_of_piece(
      size_t last, std::span<const int32_t> inputs, std::span<const int32_t> outputs);
  // Calls visit(sample, interpreter) after each sample.
  template <typename VisitRun>
  Status run_piece(size_t last, std::span<const int32_t> outputs, const VisitRun& visit);

  schema::ModelT* model_;
  std::shared_ptr<const host_ref::TfliteLibrary> library_;
  graph::Graph graph_;
  int32_t threads_;
  std::vector<size_t> last_reader_;  // of each tensor: the operator's number plus one, 0 for none
  std::vector<size_t> producer_;     // likewise
  std::vector<Values> values_;       // of each sample: what the operators still to run read
  size_t next_ = 0;                  // the first operator that was not passed
};

}  // namespace lockstep::quantization
