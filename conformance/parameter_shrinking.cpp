// Plainer operators and quantization.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <type_traits>
#include <variant>

#include "conformance/extent_coupling.h"
#include "conformance/shrink_stages.h"

namespace lockstep::conformance {
namespace {

using Edit = std::function<void(EditableCase&)>;

template <typename Attributes>
concept HasStrides = requires(Attributes attributes) {
  attributes.stride_height;
};
template <typename Attributes>
concept HasDilations = requires(Attributes attributes) {
  attributes.dilation_height;
};
template <typename Attributes>
concept HasPadding = requires(Attributes attributes) {
  attributes.padding;
};
template <typename Attributes>
concept HasActivation = requires(Attributes attributes) {
  attributes.activation;
};

// The nearest one; exponents that float32 has.
float power_of_two(float scale) {
  int exponent = 0;
  const float fraction = std::frexp(scale, &exponent);
  // sqrt(1/2) is the middle between neighbouring powers, as ratios go.
  return std::ldexp(1.0f, std::clamp(fraction < 0.70710678f ? exponent - 1 : exponent, -126, 127));
}

void simplify_zero_points(graph::Quantization& quantization) {
  std::ranges::fill(quantization.zero_points, 0);
}
void simplify_scales(graph::Quantization& quantization) {
  for (float& scale : quantization.scales) scale = power_of_two(scale);
}
void simplify_axis(graph::Quantization& quantization) {
  if (quantization.is_per_axis()) {
    quantization = {.scales = {quantization.scales[0]},
                    .zero_points = {quantization.zero_points[0]},
                    .axis = 0};
  }
}

class ParameterSteps {
 public:
  explicit ParameterSteps(const std::shared_ptr<const Case>& source) : source_(source) {}

  std::vector<ShrinkStep> make() {
    for (size_t i = 0; i < source_->graph.operators.size(); ++i) {
      std::visit([&](const auto& attributes) { add_edits(i, attributes); },
                 source_->graph.operators[i].attributes);
    }
    add_quantization_edits("zero points 0", &simplify_zero_points);
    add_quantization_edits("scales powers of two", &simplify_scales);
    add_quantization_edits("one scale a tensor", &simplify_axis);
    return std::move(steps_);
  }

 private:
  void add_edit(std::string description, Edit edit) {
    steps_.push_back(edit_step(std::move(description), source_, std::move(edit)));
  }

  template <typename Attributes>
  void add_change(size_t op, std::string_view what, const Attributes& before,
                  const std::type_identity_t<std::function<void(Attributes&)>>& change) {
    Attributes after = before;
    change(after);
    if (after == before) return;
    add_edit(fmt::format("{} of {}", what, graph::describe_operator(source_->graph, op)),
             [op, after](EditableCase& edited) { edited.graph.operators[op].attributes = after; });
  }

  template <typename Attributes>
  void add_edits(size_t op, const Attributes& attributes) {
    if constexpr (HasStrides<Attributes>) {
      add_change(op, "strides 1", attributes,
                 [](Attributes& changed) { changed.stride_height = changed.stride_width = 1; });
      add_smaller(op, "stride height", attributes, &Attributes::stride_height);
      add_smaller(op, "stride width", attributes, &Attributes::stride_width);
    }
    if constexpr (HasDilations<Attributes>) {
      add_change(op, "dilations 1", attributes,
                 [](Attributes& changed) { changed.dilation_height = changed.dilation_width = 1; });
      add_smaller(op, "dilation height", attributes, &Attributes::dilation_height);
      add_smaller(op, "dilation width", attributes, &Attributes::dilation_width);
    }
    if constexpr (HasPadding<Attributes>) {
      add_change(op, "VALID padding", attributes,
                 [](Attributes& changed) { changed.padding = graph::Padding::kValid; });
    }
    if constexpr (HasActivation<Attributes>) {
      add_change(op, "no activation", attributes,
                 [](Attributes& changed) { changed.activation = graph::Activation::kNone; });
    }
    if constexpr (std::is_same_v<Attributes, graph::ResizeAttributes>) {
      add_change(op, "corners not aligned", attributes,
                 [](Attributes& changed) { changed.align_corners = false; });
      add_change(op, "no half pixel centers", attributes,
                 [](Attributes& changed) { changed.half_pixel_centers = false; });
    }
    if constexpr (std::is_same_v<Attributes, graph::SoftmaxAttributes>) {
      add_change(op, "beta 1", attributes, [](Attributes& changed) { changed.beta = 1.0f; });
    }
  }

  template <typename Attributes>
  void add_smaller(size_t op, std::string_view what, const Attributes& attributes,
                   int32_t Attributes::*member) {
    const int32_t value = attributes.*member;
    for (const int32_t smaller : {1, value / 2, value - 1}) {
      if (smaller < 1 || smaller >= value || (smaller == 1 && value / 2 == 1 && value > 2)) {
        continue;
      }
      add_change(op, fmt::format("{} {} -> {}", what, value, smaller), attributes,
                 [member, smaller](Attributes& changed) { changed.*member = smaller; });
    }
  }

  // Of all tensors at once; of those quantized alike, which an operator may ask for; of each.
  void add_quantization_edits(std::string_view what, void (*simplify)(graph::Quantization&)) {
    const auto& tensors = source_->graph.tensors;
    std::vector<size_t> all;
    std::vector<std::vector<size_t>> groups;
    for (size_t i = 0; i < tensors.size(); ++i) {
      graph::Quantization simplified = tensors[i].quantization;
      simplify(simplified);
      if (simplified == tensors[i].quantization) continue;
      all.push_back(i);
      const auto group = std::ranges::find_if(groups, [&](const std::vector<size_t>& members) {
        return tensors[members[0]].quantization == tensors[i].quantization;
      });
      if (group == groups.end()) {
        groups.push_back({i});
      } else {
        group->push_back(i);
      }
    }
    const auto add = [&](std::string_view which, std::vector<size_t> members) {
      add_edit(fmt::format("{} of {}", what, which),
               [simplify, members = std::move(members)](EditableCase& edited) {
                 for (const size_t member : members) {
                   simplify(edited.graph.tensors[member].quantization);
                 }
               });
    };
    if (all.size() > 1) add("all tensors", all);
    for (const auto& group : groups) {
      if (group.size() > 1 && group.size() < all.size()) {
        add("tensors quantized alike", group);
      }
    }
    for (const size_t tensor : all) {
      add(fmt::format("'{}'", graph::printable(tensors[tensor].name)), {tensor});
    }
  }

  std::shared_ptr<const Case> source_;
  std::vector<ShrinkStep> steps_;
};

}  // namespace

std::vector<ShrinkStep> parameter_steps(const std::shared_ptr<const Case>& source) {
  return ParameterSteps(source).make();
}

}  // namespace lockstep::conformance
