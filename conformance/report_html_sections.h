// The parts of the report's page, in the order in which they stand on it. Each writes a heading and
// its contents, or nothing where it has nothing to say.
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "conformance/html_writer.h"
#include "conformance/report.h"

namespace lockstep::conformance {

// Whether the devices conform, in one line; then who they are.
void write_verdict(HtmlWriter& page, std::span<const Report> reports);
void write_subjects(HtmlWriter& page, std::span<const Report> reports);
// Every report against the first one.
void write_comparison(HtmlWriter& page, std::span<const Report> reports);
// Families by contracts by subjects.
void write_matrix(HtmlWriter& page, std::span<const Report> reports);
// One card for every group of failures that look the same, at most kMaximumCards.
inline constexpr size_t kMaximumCards = 100;
void write_failures(HtmlWriter& page, std::span<const Report> reports);
// The frame that kReportScript fills.
void write_runs(HtmlWriter& page, std::span<const Report> reports);
void write_coverage(HtmlWriter& page, std::span<const Report> reports);
void write_configurations(HtmlWriter& page, std::span<const Report> reports);
void write_kernels(HtmlWriter& page, std::span<const Report> reports);
void write_shaders(HtmlWriter& page, std::span<const Report> reports);

// "✗ FAIL" or, with a count, "✗ 3 FAIL", coloured by verdict; used by every part.
void write_badge(HtmlWriter& page, Verdict verdict);
void write_counts(HtmlWriter& page, const std::map<Verdict, int64_t>& counts);

}  // namespace lockstep::conformance
