// The cards of the report's page: one for every failure, with a picture of where it lies.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "conformance/difference_picture.h"
#include "conformance/report_html_data.h"
#include "conformance/report_html_sections.h"

namespace lockstep::conformance {

namespace {

// Cards beyond these start closed: a page of hundreds of pictures is hard to scroll.
constexpr size_t kOpenCards = 10;

// "batch 0, row 3, column 1, channel 5" for images, "[3, 5]" for the rest.
std::string position_text(const TensorDifference& difference) {
  std::vector<int64_t> position(difference.shape.size());
  int64_t rest = difference.first;
  for (size_t i = difference.shape.size(); i-- > 0;) {
    const int64_t extent = difference.shape[i];
    if (extent <= 0) return "unknown";
    position[i] = rest % extent;
    rest /= extent;
  }
  if (position.size() == 4) {
    return fmt::format("batch {}, row {}, column {}, channel {}", position[0], position[1],
                       position[2], position[3]);
  }
  return fmt::format("[{}]", fmt::join(position, ", "));
}

void write_fact(HtmlWriter& page, std::string_view name, std::string_view value,
                std::string_view tag) {
  if (value.empty()) return;
  page.element("dt", name).raw("<dd>").element(tag, value).raw("</dd>");
}

void write_digests(HtmlWriter& page, std::string_view name, const Digest& expected,
                   const Digest& actual) {
  if (expected.is_empty() && actual.is_empty()) return;
  page.element("dt", name).raw("<dd>");
  if (expected == actual) {
    page.raw("as expected ").element("code", actual.hex());
  } else {
    page.raw("expected ").element("code", expected.is_empty() ? "nothing" : expected.hex());
    page.raw(", found ").element("code", actual.is_empty() ? "nothing" : actual.hex(), "differs");
  }
  page.raw("</dd>");
}

void write_difference(HtmlWriter& page, const TensorDifference& difference) {
  const int64_t elements = graph::element_count(difference.shape).value_or(0);
  page.raw("<dl class=\"facts\">");
  write_fact(page, "first differing tensor",
             fmt::format("{} ({} {})", difference.tensor, graph::data_type_name(difference.type),
                         graph::shape_to_string(difference.shape)),
             "span");
  const double percent = elements > 0 ? 100.0 * static_cast<double>(difference.differing) /
                                            static_cast<double>(elements)
                                      : 0.0;
  write_fact(page, "differing elements",
             fmt::format("{} of {} ({:.3g} %), by at most {}", difference.differing, elements,
                         percent, difference.largest),
             "span");
  page.raw("<dt>first of them</dt><dd><span class=\"first\">")
      .text(position_text(difference))
      .raw(fmt::format(": expected <b>{}</b>, found <b>{}</b></span></dd></dl>\n",
                       difference.first_expected, difference.first_actual));
  if (static_cast<int64_t>(difference.indices.size()) < difference.differing) {
    page.raw(
        fmt::format("<p class=\"soft\">The places of the first {} differing elements were "
                    "recorded; hatched cells lie behind them.</p>\n",
                    difference.indices.size()));
  }
  page.raw("<div class=\"pictures\">")
      .raw(histogram_picture(difference))
      .raw(difference_picture(difference))
      .raw("</div>\n");
}

void write_configurations_of(HtmlWriter& page, const FailureGroup& group) {
  page.raw("<dt>configurations</dt><dd>");
  for (const RunResult* run : group.runs) {
    page.raw("<div>").element("code", run->configuration);
    if (!run->equivalent_configurations.empty()) {
      page.raw(" <span class=\"soft\">same commands as</span>");
      for (const std::string& other : run->equivalent_configurations) {
        page.raw(" ").element("code", other);
      }
    }
    page.raw("</div>");
  }
  page.raw("</dd>");
}

void write_card(HtmlWriter& page, const FailureGroup& group, size_t subject,
                std::string_view subject_name, bool is_open) {
  const RunResult& run = group.first();
  page.raw(fmt::format("<details class=\"card {}\" data-verdict=\"{}\" data-subject=\"{}\"",
                       verdict_name(run.verdict), verdict_index(run.verdict), subject))
      .raw(" data-contract=\"")
      .raw(numerics::contract_name(run.contract))
      .raw("\" data-family=\"")
      .text(family_of(run.case_name))
      .raw(is_open ? "\" open=\"open\"><summary>" : "\"><summary>");
  write_badge(page, run.verdict);
  page.raw(" ").element("b", run.case_name).raw(" ");
  page.element("span", numerics::contract_name(run.contract), "chip");
  if (!subject_name.empty()) page.raw(" ").element("span", subject_name, "chip");
  if (group.runs.size() > 1) {
    page.raw(fmt::format(" <span class=\"soft\">in {} configurations</span>", group.runs.size()));
  }
  page.element("span", run.reason.empty() ? "no reason given" : run.reason, "reason");
  page.raw("</summary>\n<div class=\"body\"><dl class=\"facts\">");
  write_configurations_of(page, group);
  write_fact(page, "kernels", run.kernels, "code");
  write_digests(page, "outputs", run.expected_outputs, run.outputs);
  write_digests(page, "accumulators", run.expected_accumulators, run.accumulators);
  page.raw("</dl>\n");
  if (run.difference) write_difference(page, *run.difference);
  page.raw("</div></details>\n");
}

void write_picture_legend(HtmlWriter& page) {
  // The pattern that unknown cells of every picture use is defined here, once.
  page.raw(
      "<svg width=\"0\" height=\"0\" aria-hidden=\"true\"><defs><pattern id=\"hatch\" width=\"1\" "
      "height=\"1\" patternUnits=\"userSpaceOnUse\"><path d=\"M0 1L1 0\"/></pattern></defs></svg>\n"
      "<p class=\"legend soft\">Pictures: share of a cell's elements that differ ");
  const std::pair<std::string_view, std::string_view> levels[] = {
      {"same", "none"}, {"d1", "up to 20 %"},       {"d2", "40 %"}, {"d3", "60 %"}, {"d4", "80 %"},
      {"d5", "all"},    {"unknown", "not recorded"}};
  for (const auto& [css_class, meaning] : levels) {
    page.raw("<span><svg width=\"14\" height=\"14\" viewBox=\"0 0 2 2\"><path class=\"")
        .raw(css_class)
        .raw("\" d=\"M0 0h2v2h-2z\"/></svg>")
        .raw(meaning)
        .raw("</span>");
  }
  page.raw("</p>\n");
}

}  // namespace

void write_failures(HtmlWriter& page, std::span<const Report> reports) {
  page.raw("<h2>Failures</h2>\n<section id=\"failures\">\n");
  const std::vector<std::string> names = subject_names(reports);
  size_t cards = 0;
  size_t left_out = 0;
  for (size_t subject = 0; subject < reports.size(); ++subject) {
    for (const FailureGroup& group : group_failures(reports[subject])) {
      if (cards == kMaximumCards) {
        ++left_out;
        continue;
      }
      if (cards == 0) write_picture_legend(page);
      write_card(page, group, subject, reports.size() > 1 ? names[subject] : std::string(),
                 cards < kOpenCards);
      ++cards;
    }
  }
  if (cards == 0) page.raw("<p>None.</p>\n");
  if (left_out > 0) {
    page.raw(fmt::format("<p>And {} more, which the list of runs names.</p>\n", left_out));
  }
  page.raw("<p class=\"soft\" id=\"hidden-cards\"></p>\n</section>\n");
}

}  // namespace lockstep::conformance
