// Weights as accelerators want them: int8 in [-127, 127] with zero point 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/status.h"
#include "quantization/signed_domain.h"

namespace lockstep::quantization {

struct SymmetrizeOptions {
  // A scale for every output channel, where the int8 kernel takes that. Weights that have one
  // already keep it so.
  bool per_channel = false;
  UnsignedBorders borders = UnsignedBorders::kKept;
};

// Weights that were given another meaning than "scale * value", and have it now. Errors are those
// of real values.
struct SymmetrizedWeights {
  std::string name;
  std::string op;  // name of an operator that reads them
  size_t elements = 0;
  float old_scale = 0;         // the first where there are several, as is the zero point
  int64_t old_zero_point = 0;  // as the file had it
  std::vector<float> scales;   // one, or one for every output channel
  size_t channels = 0;
  size_t exact_channels = 0;  // those whose weights mean what they meant
  double largest_error = 0;
  double mean_error = 0;               // of magnitudes
  double signal_to_noise = 0;          // of squares; infinite where all is exact
  bool was_read_as_symmetric = false;  // engines ignored the zero point, and compute otherwise now
};

struct SymmetrizeReport {
  SignedDomainReport signed_domain;
  std::vector<SymmetrizedWeights> weights;
  std::vector<OperatorNote> kept;  // operators whose weights stay asymmetric, and why
};

// First the signed domain, then
//   scale * (w - zero_point) = new_scale * v,  v in [-127, 127]  (symmetric_rescaling.h)
// and, since accumulators count in steps of input scale * weight scale,
//   new bias = round(bias * scale / new_scale).
// kInvalidModel where a tensor contradicts itself.
Result<SymmetrizeReport> symmetrize(schema::ModelT& model, const SymmetrizeOptions& options);

}  // namespace lockstep::quantization
