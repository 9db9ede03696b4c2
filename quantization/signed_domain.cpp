#include "quantization/signed_domain.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include "graph/graph.h"
#include "quantization/affine.h"
#include "quantization/operator_rules.h"
#include "quantization/signed_operators.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using schema::TensorType;

constexpr int64_t kOffset = 128;

// Between uint8 and int8 in either direction: the sign bit.
std::vector<std::byte> with_other_sign(std::span<const uint8_t> contents) {
  std::vector<std::byte> changed;
  changed.reserve(contents.size());
  for (const uint8_t value : contents) changed.push_back(static_cast<std::byte>(value ^ 0x80));
  return changed;
}

// Writes one subgraph anew, operator by operator. A tensor has up to two versions, and what is
// missing is made by a QUANTIZE in front of the first operator that wants it.
class Rewriter {
 public:
  Rewriter(schema::ModelT& model, size_t subgraph, UnsignedBorders borders,
           SignedDomainReport& report)
      : model_(model),
        subgraph_(*model.subgraphs[subgraph]),
        subgraph_index_(subgraph),
        borders_(borders),
        report_(report),
        choices_(choose_signed_operators(model, subgraph_)) {}

  void rewrite() {
    take_notes();
    settle_versions();
    auto operators = std::exchange(subgraph_.operators, {});
    for (size_t i = 0; i < operators.size(); ++i) {
      rewrite_operator(*operators[i], choices_[i].treatment);
      subgraph_.operators.push_back(std::move(operators[i]));
    }
    for (const int32_t output : subgraph_.outputs) {
      const auto found = versions_.find(output);
      if (found != versions_.end()) provide(found->second, found->second.stays_int8);
    }
  }

 private:
  enum class Source : uint8_t { kConstant, kInt8, kUint8 };  // kUint8: the uint8 version is made

  struct Versions {
    int32_t int8 = graph::kAbsentTensor;
    int32_t uint8 = graph::kAbsentTensor;
    Source source = Source::kUint8;
    bool stays_int8 = false;  // which of the two has the tensor's old place and name

    int32_t& of(bool is_int8) { return is_int8 ? int8 : uint8; }
    int32_t& other(bool is_int8) { return is_int8 ? uint8 : int8; }
  };

  schema::TensorT& tensor(int32_t index) { return *subgraph_.tensors[static_cast<size_t>(index)]; }

  void take_notes() {
    for (size_t i = 0; i < choices_.size(); ++i) {
      const schema::OperatorT& op = *subgraph_.operators[i];
      OperatorNote note{.subgraph = subgraph_index_,
                        .op = i,
                        .name = operator_name(model_, op),
                        .output = {},
                        .text = {}};
      if (!op.outputs.empty() && op.outputs.front() != graph::kAbsentTensor) {
        note.output = tensor(op.outputs.front()).name;
      }
      if (choices_[i].treatment == SignedTreatment::kUint8) {
        note.text = choices_[i].reason;
        report_.kept.push_back(std::move(note));
      } else if (!choices_[i].rounding.empty()) {
        note.text = choices_[i].rounding;
        report_.other_rounding.push_back(std::move(note));
      }
    }
  }

  // ---- Versions ----

  // Tensors that an int8 operator has as activation or weights.
  std::set<int32_t> tensors_of_int8_operators() {
    std::set<int32_t> wanted;
    for (size_t i = 0; i < choices_.size(); ++i) {
      if (choices_[i].treatment != SignedTreatment::kInt8) continue;
      schema::OperatorT& op = *subgraph_.operators[i];
      for_each_signed_operand(op, [&](int32_t operand) { wanted.insert(operand); });
    }
    return wanted;
  }

  // Calls visit(index) for the tensors of an int8 operator that become int8; it may change them.
  template <typename Visit>
  void for_each_signed_operand(schema::OperatorT& op, Visit&& visit) {
    const OperatorRule& rule = *find_rule(BuiltinOperator{builtin_code(model_, op)});
    const auto visit_all = [&](std::vector<int32_t>& operands, auto role_of) {
      for (size_t i = 0; i < operands.size(); ++i) {
        const OperandRole role = role_of(i);
        const bool is_signed = role == OperandRole::kActivation || role == OperandRole::kWeights;
        if (operands[i] != graph::kAbsentTensor && is_signed) visit(operands[i]);
      }
    };
    visit_all(op.inputs, [&](size_t i) { return rule.input_role(i); });
    visit_all(op.outputs, [&](size_t i) { return rule.output_role(i); });
  }

  void settle_versions() {
    std::set<int32_t> wanted = tensors_of_int8_operators();
    std::set<int32_t> borders(subgraph_.inputs.begin(), subgraph_.inputs.end());
    borders.insert(subgraph_.outputs.begin(), subgraph_.outputs.end());
    if (borders_ == UnsignedBorders::kInt8) wanted.merge(std::exchange(borders, {}));
    const TensorUses uses = tensor_uses(subgraph_);
    for (size_t i = 0; i < uses.producers.size(); ++i) {
      const auto index = static_cast<int32_t>(i);
      if (!is_quantized_uint8(tensor(index))) continue;
      Versions& versions = versions_[index];
      versions.stays_int8 = wanted.contains(index) && !borders.contains(index);
      versions.of(versions.stays_int8) = index;
      versions.source = source_of(index, uses.producers[i], versions.stays_int8);
    }
    for (const auto& [index, versions] : versions_) {
      if (versions.stays_int8) change_sign(tensor(index));
    }
  }

  Source source_of(int32_t index, int32_t producer, bool stays_int8) {
    if (is_constant(model_, tensor(index))) return Source::kConstant;
    if (producer >= 0) {
      const SignedTreatment treatment = choices_[static_cast<size_t>(producer)].treatment;
      if (treatment == SignedTreatment::kInt8) return Source::kInt8;
      if (treatment == SignedTreatment::kUint8) return Source::kUint8;
    }
    return stays_int8 ? Source::kInt8 : Source::kUint8;
  }

  void change_sign(schema::TensorT& changed) {
    const bool becomes_int8 = changed.type == TensorType::UINT8;
    changed.type = becomes_int8 ? TensorType::INT8 : TensorType::UINT8;
    changed.quantization->zero_point.front() += becomes_int8 ? -kOffset : kOffset;
    if (is_constant(model_, changed)) {
      set_contents(model_, changed, with_other_sign(model_.buffers[changed.buffer]->data));
    }
    if (becomes_int8) ++report_.signed_tensors;
  }

  // The tensor's index in the wanted version, which has been made by the time the next operator
  // runs.
  int32_t provide(Versions& versions, bool is_int8) {
    int32_t& wanted = versions.of(is_int8);
    if (wanted != graph::kAbsentTensor && is_made(versions, is_int8)) return wanted;
    wanted = version(versions, is_int8);
    if (versions.source != Source::kConstant) {
      add_quantize(versions.other(is_int8), wanted);
      converted_.insert(wanted);
    }
    return wanted;
  }

  bool is_made(const Versions& versions, bool is_int8) {
    if (versions.source == Source::kConstant) return true;
    const bool is_source = (versions.source == Source::kInt8) == is_int8;
    return is_source || converted_.contains(is_int8 ? versions.int8 : versions.uint8);
  }

  // The same, for whoever makes it.
  int32_t version(Versions& versions, bool is_int8) {
    int32_t& wanted = versions.of(is_int8);
    if (wanted == graph::kAbsentTensor) {
      schema::TensorT copy = copied(versions.other(is_int8), is_int8 ? "_int8" : "_uint8");
      change_sign(copy);
      wanted = add_tensor(subgraph_, std::move(copy));
    }
    return wanted;
  }

  // A tensor of another name that shares nothing with the first.
  schema::TensorT copied(int32_t source, const char* suffix) {
    schema::TensorT copy = tensor(source);
    copy.name = unused_name(copy.name + suffix);
    if (is_constant(model_, copy)) {
      const std::vector<uint8_t> contents = model_.buffers[copy.buffer]->data;
      copy.buffer = 0;
      set_contents(model_, copy, std::as_bytes(std::span(contents)));
    }
    return copy;
  }

  std::string unused_name(std::string name) {
    if (names_.empty()) {
      for (const auto& existing : subgraph_.tensors) names_.insert(existing->name);
    }
    while (!names_.insert(name).second) name += "_";
    return name;
  }

  void add_quantize(int32_t source, int32_t target) {
    auto op = std::make_unique<schema::OperatorT>();
    op->opcode_index = find_or_add_operator_code(model_, BuiltinOperator::QUANTIZE, 1);
    op->builtin_options.Set(schema::QuantizeOptionsT{});
    op->inputs = {source};
    op->outputs = {target};
    subgraph_.operators.push_back(std::move(op));
    ++report_.added_operators;
  }

  // ---- Operators ----

  void rewrite_operator(schema::OperatorT& op, SignedTreatment treatment) {
    if (treatment == SignedTreatment::kInt8) {
      make_int8(op);
      return;
    }
    const auto version_is_int8 = [&](const Versions& versions) {
      return treatment == SignedTreatment::kEither && versions.stays_int8;
    };
    for (int32_t& input : op.inputs) {
      const auto found = versions_.find(input);
      if (found == versions_.end()) continue;
      input = provide(found->second, version_is_int8(found->second));
    }
    for (int32_t& output : op.outputs) {
      const auto found = versions_.find(output);
      if (found == versions_.end()) continue;
      output = version(found->second, version_is_int8(found->second));
    }
    const BuiltinOperator code{builtin_code(model_, op)};
    if (code == BuiltinOperator::DEQUANTIZE) set_version(op, code, 2);
  }

  void make_int8(schema::OperatorT& op) {
    const BuiltinOperator code{builtin_code(model_, op)};
    const OperatorRule& rule = *find_rule(code);
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const auto found = versions_.find(op.inputs[i]);
      if (found == versions_.end()) continue;
      op.inputs[i] = provide(found->second, rule.input_role(i) != OperandRole::kUnchanged);
    }
    for (int32_t& output : op.outputs) {
      const auto found = versions_.find(output);
      if (found != versions_.end()) output = version(found->second, true);
    }
    if (code == BuiltinOperator::CONCATENATION) bring_to_scale_of_output(op);
    set_version(op, code, rule.version);
  }

  void set_version(schema::OperatorT& op, BuiltinOperator code, int32_t least) {
    const int32_t version = std::max(model_.operator_codes[op.opcode_index]->version, least);
    op.opcode_index = find_or_add_operator_code(model_, code, version);
  }

  // int8 kernels of CONCATENATION copy bytes.
  void bring_to_scale_of_output(schema::OperatorT& op) {
    const auto& output = *tensor(op.outputs.front()).quantization;
    const Affine target{.scale = output.scale.front(),
                        .zero_point = static_cast<int32_t>(output.zero_point.front())};
    for (int32_t& input : op.inputs) {
      const auto& quantization = *tensor(input).quantization;
      const Affine source{.scale = quantization.scale.front(),
                          .zero_point = static_cast<int32_t>(quantization.zero_point.front())};
      if (source != target) input = requantized(input, source, target);
    }
  }

  int32_t requantized(int32_t index, Affine source, Affine target) {
    const auto key = std::make_pair(index, std::make_pair(target.scale, target.zero_point));
    const auto [entry, is_new] = requantized_.try_emplace(key, graph::kAbsentTensor);
    if (!is_new) return entry->second;
    schema::TensorT copy = copied(index, "_requantized");
    copy.quantization->scale = {target.scale};
    copy.quantization->zero_point = {target.zero_point};
    if (is_constant(model_, copy)) {
      std::vector<std::byte> values;
      for (const uint8_t value : model_.buffers[copy.buffer]->data) {
        const float real = dequantize(static_cast<int8_t>(value), source);
        values.push_back(static_cast<std::byte>(quantize(real, target, kInt8Range)));
      }
      set_contents(model_, copy, values);
      entry->second = add_tensor(subgraph_, std::move(copy));
    } else {
      entry->second = add_tensor(subgraph_, std::move(copy));
      add_quantize(index, entry->second);
    }
    return entry->second;
  }

  schema::ModelT& model_;
  schema::SubGraphT& subgraph_;
  size_t subgraph_index_;
  UnsignedBorders borders_;
  SignedDomainReport& report_;
  std::vector<SignedChoice> choices_;

  std::map<int32_t, Versions> versions_;  // of every quantized uint8 tensor, by its old index
  std::set<int32_t> converted_;           // versions that a QUANTIZE has made
  // By tensor, scale and zero point.
  std::map<std::pair<int32_t, std::pair<float, int32_t>>, int32_t> requantized_;
  std::set<std::string> names_;
};

}  // namespace

SignedDomainReport move_to_signed_domain(schema::ModelT& model, UnsignedBorders borders) {
  SignedDomainReport report;
  for (size_t i = 0; i < model.subgraphs.size(); ++i) {
    Rewriter(model, i, i == 0 ? borders : UnsignedBorders::kKept, report).rewrite();
  }
  return report;
}

}  // namespace lockstep::quantization
