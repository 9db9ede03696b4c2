// Draws where in a tensor its differing elements lie, and by how much they differ, as inline SVG
// for the report's page. The pattern is what tells an engineer the cause: every seventeenth channel
// is a tail, a border is padding, one row is a workgroup.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "conformance/run_result.h"

namespace lockstep::conformance {

// Elements of a tensor laid out in rows and columns and counted in at most kMaximumRows x
// kMaximumColumns cells; a cell covers several rows and columns of a larger tensor.
struct DifferenceGrid {
  static constexpr int64_t kMaximumRows = 48;
  static constexpr int64_t kMaximumColumns = 64;

  std::string caption;
  std::string row_name;  // "height"
  std::string column_name;
  int64_t rows = 0;  // of the tensor
  int64_t columns = 0;
  // Of the tensor in one cell; the last row and column of cells may have less.
  int64_t cell_height = 1;
  int64_t cell_width = 1;
  int64_t cell_rows = 0;
  int64_t cell_columns = 0;
  // Of every cell, row by row: differing elements, and elements there are.
  std::vector<int64_t> differing;
  std::vector<int64_t> elements;
  // Cells of whose elements none was recorded: they lie behind the last recorded index.
  std::vector<bool> unknown;
};

// The views worth drawing. Images (NHWC with more than one pixel): one over all channels for every
// batch with differences, one sheet for every batch and channel with differences, at most
// kMaximumSheets of each. Everything else: flattened rows of the innermost dimension; a single long
// row is wrapped.
inline constexpr size_t kMaximumSheets = 8;
std::vector<DifferenceGrid> difference_grids(const TensorDifference& difference);

// Differing elements by index in the innermost dimension, in at most `maximum_bins` bins; empty
// when that dimension has one element, or is the only one.
std::vector<int64_t> innermost_profile(const TensorDifference& difference, int64_t maximum_bins);

// Markup: <figure> elements with an <svg> and a caption each. Colours come from classes (d1 to d5,
// unknown, first) that the page defines.
std::string difference_picture(const TensorDifference& difference);
// Bars for the eight bins of TensorDifference::histogram.
std::string histogram_picture(const TensorDifference& difference);

}  // namespace lockstep::conformance
