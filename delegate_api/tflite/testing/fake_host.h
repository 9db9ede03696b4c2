// A host's side of the delegate ABI, with just enough behind it to hold a small network: what tests
// of the plugin's border use where no real TFLite is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "delegate_api/tflite/tflite_abi.h"

namespace lockstep::delegate::testing {

class FakeHost {
 public:
  FakeHost();
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  // Both return the index. `scales` empty: not quantized.
  int32_t add_tensor(std::string name, abi::Type type, const std::vector<int32_t>& shape,
                     std::vector<float> scales = {}, const std::vector<int32_t>& zero_points = {0},
                     int32_t axis = 0);
  int32_t add_node(int32_t builtin_code, const std::vector<int32_t>& inputs,
                   const std::vector<int32_t>& outputs, void* builtin_data = nullptr,
                   int32_t version = 1);

  // Makes the tensor a constant of the model.
  void set_constant(int32_t tensor, std::vector<std::byte> bytes);

  abi::Context* context();
  abi::Tensor& tensor(int32_t index) { return tensors_[static_cast<size_t>(index)]; }
  abi::Node& node(int32_t index) { return nodes_[static_cast<size_t>(index)]; }
  abi::Registration& registration(int32_t index) {
    return registrations_[static_cast<size_t>(index)];
  }

  // What the plugin did.
  std::vector<std::string> reported_errors;
  std::vector<std::vector<int32_t>> replaced_nodes;
  abi::Registration kernel_registration{};  // of the last replacement

  // An int array that lives as long as the host.
  abi::IntArray* int_array(const std::vector<int32_t>& numbers);

 private:
  abi::Context context_{};
  std::vector<abi::Tensor> tensors_;
  std::deque<abi::Node> nodes_;
  std::deque<abi::Registration> registrations_;
  std::deque<std::vector<int32_t>> arrays_;  // size first, then the numbers
  std::deque<std::vector<float>> scales_;    // room for the size first
  std::deque<abi::AffineQuantization> quantizations_;
  std::deque<std::vector<std::byte>> constants_;
  std::deque<std::string> names_;
};

}  // namespace lockstep::delegate::testing
