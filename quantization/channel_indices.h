// Which indices of which dimensions of a network's tensors hang together, so that none of them can
// be removed without all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "quantization/model_editing.h"

namespace lockstep::quantization {

// A dimension of a tensor.
struct TensorAxis {
  int32_t tensor = 0;
  size_t axis = 0;

  auto operator<=>(const TensorAxis&) const = default;
};

// A class is a set of indices, of one or many dimensions, that hang together. Classes are told by
// one of their members.
class ChannelIndices {
 public:
  using Class = size_t;

  // Every index of every dimension of the subgraph's tensors is a class of its own. Dimensions that
  // are longer than anything with channels are fixed from the start, and so are all where the
  // network has more than kMost indices.
  explicit ChannelIndices(const schema::SubGraphT& subgraph);
  static constexpr size_t kMost = size_t{1} << 24;

  size_t extent(TensorAxis axis) const;
  size_t rank(int32_t tensor) const { return axes_[static_cast<size_t>(tensor)].size(); }

  // Makes one class of two. What cannot be, since an index is out of range, fixes both dimensions.
  void join(TensorAxis a, size_t index_of_a, TensorAxis b, size_t index_of_b);
  // The same index of two dimensions of one extent.
  void join_all(TensorAxis a, TensorAxis b);
  // No index of the dimension can be removed. The first reason for a class is kept.
  void fix(TensorAxis axis, const std::string& reason);

  Class class_of(TensorAxis axis, size_t index) const;
  size_t class_limit() const { return parents_.size(); }  // all classes are below
  // Null where the class may be removed.
  const std::string* reason_against(Class of) const;

  // Classes that go through the same dimensions, each as often.
  struct Group {
    std::vector<Class> classes;
    std::vector<TensorAxis> axes;  // each once
  };
  // Of the classes of these dimensions that are not fixed.
  std::vector<Group> free_groups(const std::vector<TensorAxis>& axes) const;

  // Calls visit(axis, index, class) for all of them, axis by axis.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (size_t tensor = 0; tensor < axes_.size(); ++tensor) {
      for (size_t axis = 0; axis < axes_[tensor].size(); ++axis) {
        const TensorAxis place{static_cast<int32_t>(tensor), axis};
        for (size_t i = 0; i < axes_[tensor][axis].tracked; ++i) {
          visit(place, i, class_of(place, i));
        }
      }
    }
  }

 private:
  struct Axis {
    size_t extent = 0;
    size_t first = 0;    // place of index 0 in parents_
    size_t tracked = 0;  // the extent, or 1 for a dimension that is fixed as a whole
  };

  const Axis& at(TensorAxis axis) const {
    return axes_[static_cast<size_t>(axis.tensor)][axis.axis];
  }
  size_t root(size_t member) const;
  void fix_class(Class of, const std::string& reason);

  std::vector<std::vector<Axis>> axes_;   // by tensor
  mutable std::vector<size_t> parents_;   // a forest; roots are their own parents
  std::map<Class, std::string> reasons_;  // by root
};

}  // namespace lockstep::quantization
