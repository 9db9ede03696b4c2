#include "conformance/difference_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

namespace lockstep::conformance {

namespace {

constexpr int64_t kWrappedRow = 64;
constexpr int64_t kMaximumProfileBins = 64;
constexpr size_t kLevels = 5;

// Only what is in the tensor: a difference that was not read from a file is not checked.
struct RecordedIndices {
  std::vector<int64_t> indices;
  bool is_complete = true;  // every differing element is there
  bool knows(int64_t index) const {
    return is_complete || (!indices.empty() && index <= indices.back());
  }
};

RecordedIndices recorded_indices(const TensorDifference& difference, int64_t elements) {
  RecordedIndices recorded;
  std::ranges::copy_if(difference.indices, std::back_inserter(recorded.indices),
                       [&](int64_t index) { return index >= 0 && index < elements; });
  std::ranges::sort(recorded.indices);
  recorded.is_complete = static_cast<int64_t>(recorded.indices.size()) >= difference.differing;
  return recorded;
}

// Element (row, column, layer) of a view has the flat index
//   offset + row * row_stride + column * column_stride + layer * layer_stride.
struct View {
  std::string caption;
  std::string row_name;
  std::string column_name;
  int64_t rows = 1;
  int64_t columns = 1;
  int64_t layers = 1;
  int64_t offset = 0;
  int64_t row_stride = 0;
  int64_t column_stride = 0;
  int64_t elements = 0;  // of the tensor: a wrapped last row ends early
};

// How many rows and columns a cell covers. Cells are square where the view is not very long, so
// that an image keeps its shape.
std::pair<int64_t, int64_t> cell_extents(int64_t rows, int64_t columns) {
  constexpr int64_t kLongestWithSquareCells = 4;
  const auto divide_up = [](int64_t extent, int64_t cells) { return (extent + cells - 1) / cells; };
  const int64_t height = divide_up(rows, DifferenceGrid::kMaximumRows);
  const int64_t width = divide_up(columns, DifferenceGrid::kMaximumColumns);
  const bool is_long =
      rows > columns * kLongestWithSquareCells || columns > rows * kLongestWithSquareCells;
  return is_long ? std::pair(height, width)
                 : std::pair(std::max(height, width), std::max(height, width));
}

// `places` holds (row, column) of the recorded elements of the view.
DifferenceGrid make_grid(const View& view, std::span<const std::pair<int64_t, int64_t>> places,
                         const RecordedIndices& recorded) {
  DifferenceGrid grid;
  grid.caption = view.caption;
  grid.row_name = view.row_name;
  grid.column_name = view.column_name;
  grid.rows = view.rows;
  grid.columns = view.columns;
  std::tie(grid.cell_height, grid.cell_width) = cell_extents(view.rows, view.columns);
  grid.cell_rows = (view.rows + grid.cell_height - 1) / grid.cell_height;
  grid.cell_columns = (view.columns + grid.cell_width - 1) / grid.cell_width;
  const auto cells = static_cast<size_t>(grid.cell_rows * grid.cell_columns);
  grid.differing.assign(cells, 0);
  grid.elements.assign(cells, 0);
  grid.unknown.assign(cells, false);
  for (int64_t cell_row = 0; cell_row < grid.cell_rows; ++cell_row) {
    const int64_t row = cell_row * grid.cell_height;
    const int64_t row_end = std::min(row + grid.cell_height, grid.rows);
    for (int64_t cell_column = 0; cell_column < grid.cell_columns; ++cell_column) {
      const int64_t column = cell_column * grid.cell_width;
      const int64_t column_end = std::min(column + grid.cell_width, grid.columns);
      const auto cell = static_cast<size_t>(cell_row * grid.cell_columns + cell_column);
      // Strides are not negative: the first element has the cell's smallest index.
      const int64_t smallest = view.offset + row * view.row_stride + column * view.column_stride;
      if (smallest >= view.elements) continue;
      grid.elements[cell] = (row_end - row) * (column_end - column) * view.layers;
      grid.unknown[cell] = !recorded.knows(smallest);
    }
  }
  for (const auto& [row, column] : places) {
    const int64_t cell_row = row / grid.cell_height;
    const int64_t cell_column = column / grid.cell_width;
    ++grid.differing[static_cast<size_t>(cell_row * grid.cell_columns + cell_column)];
  }
  return grid;
}

using Places = std::vector<std::pair<int64_t, int64_t>>;

std::vector<DifferenceGrid> image_grids(const graph::Shape& shape, int64_t elements,
                                        const RecordedIndices& recorded) {
  const int64_t height = shape[1];
  const int64_t width = shape[2];
  const int64_t channels = shape[3];
  std::map<int64_t, Places> batches;
  std::map<std::pair<int64_t, int64_t>, Places> sheets;
  for (const int64_t index : recorded.indices) {
    const int64_t channel = index % channels;
    const int64_t column = index / channels % width;
    const int64_t row = index / channels / width % height;
    const int64_t batch = index / channels / width / height;
    batches[batch].emplace_back(row, column);
    sheets[{batch, channel}].emplace_back(row, column);
  }
  View view{.caption = {},
            .row_name = "height",
            .column_name = "width",
            .rows = height,
            .columns = width,
            .layers = channels,
            .row_stride = width * channels,
            .column_stride = channels,
            .elements = elements};
  std::vector<DifferenceGrid> grids;
  for (const auto& [batch, places] : batches) {
    if (grids.size() == kMaximumSheets) break;
    view.offset = batch * height * width * channels;
    view.caption = fmt::format("batch {}, all {} channels", batch, channels);
    if (channels == 1) view.caption = fmt::format("batch {}", batch);
    grids.push_back(make_grid(view, places, recorded));
  }
  if (channels == 1) return grids;
  const size_t batch_grids = grids.size();
  view.layers = 1;
  for (const auto& [key, places] : sheets) {
    if (grids.size() == batch_grids + kMaximumSheets) break;
    view.offset = key.first * height * width * channels + key.second;
    view.caption = fmt::format("batch {}, channel {}", key.first, key.second);
    grids.push_back(make_grid(view, places, recorded));
  }
  return grids;
}

DifferenceGrid flat_grid(const graph::Shape& shape, int64_t elements,
                         const RecordedIndices& recorded) {
  const int64_t innermost = shape.empty() ? 1 : shape.back();
  const bool is_one_row = innermost == elements;
  const int64_t columns = is_one_row ? std::min(elements, kWrappedRow) : innermost;
  const int64_t rows = (elements + columns - 1) / columns;
  Places places;
  for (const int64_t index : recorded.indices) {
    places.emplace_back(index / columns, index % columns);
  }
  const bool is_wrapped = is_one_row && rows > 1;
  View view{.caption = is_wrapped ? fmt::format("all elements, {} a row", columns)
                                  : std::string("all elements"),
            .row_name = is_wrapped ? "rows" : "outer",
            .column_name = is_one_row ? "elements" : "innermost",
            .rows = rows,
            .columns = columns,
            .row_stride = columns,
            .column_stride = 1,
            .elements = elements};
  return make_grid(view, places, recorded);
}

bool is_image(const graph::Shape& shape) {
  return shape.size() == 4 && int64_t{shape[1]} * shape[2] > 1;
}

std::optional<int64_t> usable_element_count(const TensorDifference& difference) {
  const std::optional<int64_t> elements = graph::element_count(difference.shape);
  return elements && *elements > 0 ? elements : std::nullopt;
}

// 1 for the palest; every differing cell is visible.
size_t level_of(int64_t differing, int64_t elements) {
  const double share = static_cast<double>(differing) / static_cast<double>(elements);
  return std::clamp<size_t>(static_cast<size_t>(share * kLevels + 0.999), 1, kLevels);
}

// Cells of one kind as one path of horizontal runs, a twentieth of the size of a <rect> for each.
template <typename IsOfKind>
std::string cells_path(const DifferenceGrid& grid, std::string_view css_class,
                       IsOfKind is_of_kind) {
  std::string path;
  for (int64_t row = 0; row < grid.cell_rows; ++row) {
    const auto cell = [&](int64_t column) {
      return static_cast<size_t>(row * grid.cell_columns + column);
    };
    for (int64_t column = 0; column < grid.cell_columns;) {
      if (!is_of_kind(cell(column))) {
        ++column;
        continue;
      }
      const int64_t start = column;
      while (column < grid.cell_columns && is_of_kind(cell(column))) ++column;
      path += fmt::format("M{} {}h{}v1h-{}z", start, row, column - start, column - start);
    }
  }
  return path.empty() ? path : fmt::format("<path class=\"{}\" d=\"{}\"/>", css_class, path);
}

std::string grid_lines(const DifferenceGrid& grid) {
  constexpr int64_t kMostCellsWithLines = 34;
  if (std::max(grid.cell_rows, grid.cell_columns) > kMostCellsWithLines) return {};
  std::string path;
  for (int64_t row = 1; row < grid.cell_rows; ++row) {
    path += fmt::format("M0 {}h{}", row, grid.cell_columns);
  }
  for (int64_t column = 1; column < grid.cell_columns; ++column) {
    path += fmt::format("M{} 0v{}", column, grid.cell_rows);
  }
  return path.empty() ? path : fmt::format("<path class=\"grid\" d=\"{}\"/>", path);
}

std::string cell_size_text(const DifferenceGrid& grid) {
  if (grid.cell_height == 1 && grid.cell_width == 1) return {};
  return fmt::format(", each cell {} × {}", grid.cell_height, grid.cell_width);
}

std::string grid_figure(const DifferenceGrid& grid) {
  // Cells of 3 to 12 pixels: small tensors stay small, large ones fit into a card.
  constexpr int64_t kTargetPixels = 220;
  const int64_t pixels =
      std::clamp<int64_t>(kTargetPixels / std::max(grid.cell_rows, grid.cell_columns), 3, 12);
  std::string svg = fmt::format(
      "<svg class=\"where\" role=\"img\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\">"
      "<title>{}: differing elements</title>",
      grid.cell_columns * pixels, grid.cell_rows * pixels, grid.cell_columns, grid.cell_rows,
      grid.caption);
  svg += cells_path(grid, "same", [&](size_t cell) { return grid.elements[cell] > 0; });
  svg += cells_path(grid, "unknown", [&](size_t cell) { return bool{grid.unknown[cell]}; });
  for (size_t level = 1; level <= kLevels; ++level) {
    svg += cells_path(grid, fmt::format("d{}", level), [&](size_t cell) {
      return grid.differing[cell] > 0 &&
             level_of(grid.differing[cell], grid.elements[cell]) == level;
    });
  }
  svg += grid_lines(grid);
  svg += "</svg>";
  return fmt::format(
      "<figure>{}<figcaption>{}<br/><span class=\"soft\">{} {} ↓ × {} {} →{}</span></figcaption>"
      "</figure>\n",
      svg, grid.caption, grid.row_name, grid.rows, grid.column_name, grid.columns,
      cell_size_text(grid));
}

std::string profile_figure(const TensorDifference& difference) {
  const std::vector<int64_t> bins = innermost_profile(difference, kMaximumProfileBins);
  if (bins.empty()) return {};
  constexpr int64_t kHeight = 48;
  constexpr int64_t kTargetPixels = 256;
  const auto count = static_cast<int64_t>(bins.size());
  const int64_t pixels = std::clamp<int64_t>(kTargetPixels / count, 4, 12);
  const int64_t largest = std::max<int64_t>(1, *std::ranges::max_element(bins));
  std::string bars;
  for (int64_t bin = 0; bin < count; ++bin) {
    const int64_t value = bins[static_cast<size_t>(bin)];
    if (value == 0) continue;
    // At least two pixels, so that one element among thousands is seen.
    const int64_t height = std::max<int64_t>(2, value * kHeight / largest);
    bars += fmt::format("M{} {}h{}v{}h-{}z", bin * pixels, kHeight - height, pixels - 1, height,
                        pixels - 1);
  }
  const int64_t extent = difference.shape.back();
  const char* name = is_image(difference.shape) ? "channel" : "index in the innermost dimension";
  return fmt::format(
      "<figure><svg class=\"bars\" role=\"img\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\">"
      "<title>differing elements by {2}</title><path class=\"axis\" d=\"M0 {3}h{0}\"/>"
      "<path class=\"bar\" d=\"{4}\"/></svg>"
      "<figcaption>by {2}<br/><span class=\"soft\">0 to {5} →, highest bar {6}</span></figcaption>"
      "</figure>\n",
      count * pixels, kHeight + 1, name, kHeight, bars, extent - 1, largest);
}

}  // namespace

std::vector<DifferenceGrid> difference_grids(const TensorDifference& difference) {
  const std::optional<int64_t> elements = usable_element_count(difference);
  if (!elements) return {};
  const RecordedIndices recorded = recorded_indices(difference, *elements);
  if (is_image(difference.shape)) return image_grids(difference.shape, *elements, recorded);
  return {flat_grid(difference.shape, *elements, recorded)};
}

std::vector<int64_t> innermost_profile(const TensorDifference& difference, int64_t maximum_bins) {
  const std::optional<int64_t> elements = usable_element_count(difference);
  if (!elements || difference.shape.empty()) return {};
  const int64_t innermost = difference.shape.back();
  if (innermost == 1 || innermost == *elements) return {};
  const int64_t bins = std::min(innermost, maximum_bins);
  std::vector<int64_t> profile(static_cast<size_t>(bins), 0);
  for (const int64_t index : recorded_indices(difference, *elements).indices) {
    ++profile[static_cast<size_t>(index % innermost * bins / innermost)];
  }
  return profile;
}

std::string difference_picture(const TensorDifference& difference) {
  const std::vector<DifferenceGrid> grids = difference_grids(difference);
  if (grids.empty()) return {};
  std::string markup = profile_figure(difference);
  for (const DifferenceGrid& grid : grids) markup += grid_figure(grid);
  return markup;
}

std::string histogram_picture(const TensorDifference& difference) {
  static constexpr std::array<std::string_view, 8> kLabels = {"≤ −4", "−3", "−2", "−1",
                                                              "+1",   "+2", "+3", "≥ +4"};
  constexpr int64_t kBarWidth = 34;
  constexpr int64_t kStep = 42;
  constexpr int64_t kHeight = 60;
  constexpr int64_t kTop = 16;  // room for the counts
  const int64_t largest = std::max<int64_t>(1, *std::ranges::max_element(difference.histogram));
  std::string marks;
  for (size_t i = 0; i < kLabels.size(); ++i) {
    const int64_t left = static_cast<int64_t>(i) * kStep + (kStep - kBarWidth) / 2;
    const int64_t count = difference.histogram[i];
    int64_t height = 0;
    if (count > 0) {
      const double share = static_cast<double>(count) / static_cast<double>(largest);
      height = std::max<int64_t>(2, static_cast<int64_t>(share * kHeight));
      marks += fmt::format("<path class=\"bar\" d=\"M{} {}h{}v{}h-{}z\"/>", left,
                           kTop + kHeight - height, kBarWidth, height, kBarWidth);
    }
    const int64_t middle = left + kBarWidth / 2;
    marks += fmt::format("<text x=\"{}\" y=\"{}\"{}>{}</text>", middle, kTop + kHeight - height - 4,
                         count == 0 ? " class=\"zero\"" : "", count);
    marks += fmt::format("<text class=\"label\" x=\"{}\" y=\"{}\">{}</text>", middle,
                         kTop + kHeight + 15, kLabels[i]);
  }
  const int64_t width = static_cast<int64_t>(kLabels.size()) * kStep;
  return fmt::format(
      "<figure><svg class=\"bars\" role=\"img\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\">"
      "<title>differing elements by actual minus expected</title>"
      "<path class=\"axis\" d=\"M0 {2}h{0}\"/>{3}</svg>"
      "<figcaption>elements by actual − expected</figcaption></figure>\n",
      width, kTop + kHeight + 22, kTop + kHeight, marks);
}

}  // namespace lockstep::conformance
