// Which extents of a graph's tensors belong together: a convolution's output channels are its
// weights' and its bias's outermost extent, and the next operator's input channels. Changing one of
// them changes all.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "conformance/editable_case.h"
#include "graph/status.h"

namespace lockstep::conformance {

// Dimension `dimension` of a tensor.
struct TensorDimension {
  int32_t tensor = 0;
  size_t dimension = 0;
};

// The indices of an extent that stay, ascending. For extents that follow from others they only say
// how many there are: 0, 1, 2, ...; there may be more than before (a smaller stride).
using KeptIndices = std::vector<int32_t>;

// Extents of a graph in classes. Those of a class are equal and are sliced alike. Some classes
// follow from others by a formula (the rows of an output from the rows of its input); the others
// are free to change.
class ExtentCoupling {
 public:
  // Reads shapes as they are and attributes (strides, windows, amounts) as they are to be: where an
  // attribute was edited, resize({}) makes the shapes fit it. kUnsupported for a graph with an
  // operator that is not understood.
  static Result<ExtentCoupling> analyse(const EditableCase& source);

  struct FreeExtent {
    int32_t id = 0;
    TensorDimension first;  // of the tensors that have it
    int32_t extent = 0;
    int32_t block = 1;  // only whole blocks of so many can go
  };
  // Those greater than one block.
  std::vector<FreeExtent> free_extents() const;

  // Cuts the free extents down to `kept` (by id), all that belongs to them along, and infers the
  // rest. kUnsupported where that is not possible.
  Status resize(EditableCase& edited, const std::map<int32_t, KeptIndices>& kept) const;

 private:
  // One class that follows from others.
  struct Rule {
    std::vector<int32_t> from;
    int32_t to = 0;
    // From what is kept of `from`, in order; empty where nothing would be left.
    std::function<KeptIndices(const std::vector<KeptIndices>& from)> formula;
    int32_t block = 1;  // `from` is kept in whole blocks of this size
  };
  struct Builder;

  std::vector<std::vector<int32_t>> class_of_;  // by tensor and dimension
  std::vector<int32_t> extents_;                // by class
  std::vector<bool> is_fixed_;                  // by class: may not change
  std::vector<Rule> rules_;
};

}  // namespace lockstep::conformance
