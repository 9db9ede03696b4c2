#include "delegate_api/tflite/testing/fake_host.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <utility>

namespace lockstep::delegate::testing {
namespace {

FakeHost& host_of(abi::Context* context) { return *static_cast<FakeHost*>(context->impl); }

abi::Status get_node_and_registration(abi::Context* context, int index, abi::Node** node,
                                      abi::Registration** registration) {
  *node = &host_of(context).node(index);
  *registration = &host_of(context).registration(index);
  return abi::Status::kOk;
}

abi::Status replace_node_subsets(abi::Context* context, abi::Registration registration,
                                 const abi::IntArray* nodes, abi::Delegate* /*delegate*/) {
  host_of(context).kernel_registration = registration;
  host_of(context).replaced_nodes.emplace_back(nodes->data(), nodes->data() + nodes->size);
  return abi::Status::kOk;
}

void report_error(abi::Context* context, const char* format, ...) {
  std::array<char, 1024> text{};
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  host_of(context).reported_errors.emplace_back(text.data());
}

}  // namespace

FakeHost::FakeHost() {
  context_.impl = this;
  context_.get_node_and_registration = get_node_and_registration;
  context_.replace_node_subsets_with_delegate_kernels = replace_node_subsets;
  context_.report_error = report_error;
  context_.get_execution_plan = [](abi::Context* context, abi::IntArray** plan) {
    FakeHost& host = host_of(context);
    std::vector<int32_t> nodes(host.nodes_.size());
    std::iota(nodes.begin(), nodes.end(), 0);
    *plan = host.int_array(nodes);
    return abi::Status::kOk;
  };
}

abi::IntArray* FakeHost::int_array(const std::vector<int32_t>& numbers) {
  std::vector<int32_t>& array = arrays_.emplace_back();
  array.push_back(static_cast<int32_t>(numbers.size()));
  array.insert(array.end(), numbers.begin(), numbers.end());
  return reinterpret_cast<abi::IntArray*>(array.data());
}

int32_t FakeHost::add_tensor(std::string name, abi::Type type, const std::vector<int32_t>& shape,
                             std::vector<float> scales, const std::vector<int32_t>& zero_points,
                             int32_t axis) {
  abi::Tensor tensor{};
  tensor.type = type;
  tensor.dims = int_array(shape);
  tensor.name = names_.emplace_back(std::move(name)).c_str();
  tensor.buffer_handle = -1;
  if (!scales.empty()) {
    const auto count = static_cast<int32_t>(scales.size());
    scales.insert(scales.begin(), 0.0f);
    std::memcpy(scales.data(), &count, sizeof(count));
    scales_.push_back(std::move(scales));
    quantizations_.push_back(
        {reinterpret_cast<abi::FloatArray*>(scales_.back().data()), int_array(zero_points), axis});
    tensor.quantization = {abi::Quantization::kAffine, &quantizations_.back()};
  }
  tensors_.push_back(tensor);
  return static_cast<int32_t>(tensors_.size()) - 1;
}

int32_t FakeHost::add_node(int32_t builtin_code, const std::vector<int32_t>& inputs,
                           const std::vector<int32_t>& outputs, void* builtin_data,
                           int32_t version) {
  abi::Node node{};
  node.inputs = int_array(inputs);
  node.outputs = int_array(outputs);
  node.builtin_data = builtin_data;
  nodes_.push_back(node);
  abi::Registration registration{};
  registration.builtin_code = builtin_code;
  registration.version = version;
  registrations_.push_back(registration);
  return static_cast<int32_t>(nodes_.size()) - 1;
}

void FakeHost::set_constant(int32_t index, std::vector<std::byte> bytes) {
  std::vector<std::byte>& kept = constants_.emplace_back(std::move(bytes));
  tensor(index).data = kept.data();
  tensor(index).bytes = kept.size();
  tensor(index).allocation_type = abi::AllocationType::kReadOnlyModel;
}

abi::Context* FakeHost::context() {
  context_.tensors = tensors_.data();
  context_.tensors_size = tensors_.size();
  return &context_;
}

}  // namespace lockstep::delegate::testing
