#include "tools/profile_report.h"

#include <algorithm>
#include <numeric>

#include "bench/report/bench_report.h"
#include "conformance/report.h"
#include "conformance/text.h"
#include "tools/bench_tables.h"
#include "tools/table.h"

namespace lockstep::tools {
namespace {

using bench::OperatorProfile;

std::string clock_text(backend::RunProfile::Clock clock) {
  switch (clock) {
    case backend::RunProfile::Clock::kTimestamps:
      return "device timestamps";
    case backend::RunProfile::Clock::kSubmissions:
      return "host clock, each dispatch submitted on its own: the device has no timestamps, and "
             "every time includes what a submission costs";
    case backend::RunProfile::Clock::kHost:
      return "the processor's own";
  }
  return {};
}

std::vector<const OperatorProfile*> ordered(const bench::NetworkProfile& profile,
                                            ProfileOrder order) {
  std::vector<const OperatorProfile*> operators;
  for (const OperatorProfile& op : profile.operators) operators.push_back(&op);
  if (order == ProfileOrder::kSlowestFirst) {
    std::ranges::stable_sort(operators, std::greater<>(), &OperatorProfile::median_seconds);
  }
  return operators;
}

}  // namespace

std::string profile_text(const bench::NetworkProfile& profile, ProfileOrder order) {
  const bool has_roofline = profile.roofline.is_known();
  Table table({{.title = "#", .align = Align::kRight},
               {.title = "operator"},
               {.title = "output", .align = Align::kLeft, .maximum_width = 36},
               {.title = "kernel", .align = Align::kLeft, .maximum_width = 48},
               {.title = "us", .align = Align::kRight},
               {.title = "share", .align = Align::kRight},
               {.title = "GOPS", .align = Align::kRight},
               {.title = "roofline", .align = Align::kRight},
               {.title = "KiB", .align = Align::kRight}});
  bench::Work all;
  for (const OperatorProfile* op : ordered(profile, order)) {
    if (op->partition < 0) {
      table.add_row({fmt::format("{}", op->index), op->name, op->output_name, "host: " + op->reason,
                     "", "", "", "", ""});
      continue;
    }
    all.multiply_accumulates += op->work.multiply_accumulates;
    all.bytes += op->work.bytes;
    table.add_row(
        {fmt::format("{}", op->index), op->name, op->output_name, op->kernel,
         digits(op->median_seconds * 1e6), fmt::format("{:.1f} %", op->share * 100),
         op->work.multiply_accumulates > 0 ? digits(op->gops) : "",
         has_roofline && op->dispatches > 0 ? fmt::format("{:.0f} %", op->percent_of_roofline) : "",
         digits(static_cast<double>(op->work.bytes) / 1024)});
  }
  const double operators_seconds = std::accumulate(
      profile.operators.begin(), profile.operators.end(), 0.0,
      [](double sum, const OperatorProfile& op) { return sum + op.median_seconds; });
  table.add_row(
      {"", "copies", "", "inputs and outputs", digits(profile.copies_seconds * 1e6),
       fmt::format("{:.1f} %", 100 * profile.copies_seconds /
                                   std::max(operators_seconds + profile.copies_seconds, 1e-12)),
       "", "", ""});
  table.add_row({"", "all", "", "", digits((operators_seconds + profile.copies_seconds) * 1e6),
                 "100.0 %", digits(all.gops(operators_seconds)), "",
                 digits(static_cast<double>(all.bytes) / 1024)});
  std::string text = fmt::format(
      "device  {} ({})\nclock   {}\nruns    {}, medians; {}\n", shorten(profile.device.name, 80),
      shorten(profile.device.driver, 80), clock_text(profile.clock), profile.runs,
      profile.partitions == 1 ? "1 partition" : fmt::format("{} partitions", profile.partitions));
  text += roofline_text(profile.roofline);
  text += fmt::format("\n{}\n", table.to_string());
  text += fmt::format(
      "A profiled run takes {} ms, of which the device works {} ms and the host the rest.\n"
      "A run of the whole network without profiling takes {} ms.\n",
      digits(profile.host_seconds * 1e3), digits(profile.device_seconds * 1e3),
      digits(profile.run_seconds * 1e3));
  return text;
}

nlohmann::json profile_json(const bench::NetworkProfile& profile, const std::string& model,
                            const std::string& numerics) {
  using conformance::valid_utf8;
  nlohmann::json operators = nlohmann::json::array();
  for (const OperatorProfile& op : profile.operators) {
    nlohmann::json entry = {{"operator", op.index},
                            {"name", valid_utf8(op.name)},
                            {"output", valid_utf8(op.output_name)},
                            {"partition", op.partition}};
    if (op.partition < 0) {
      entry["reason"] = valid_utf8(op.reason);
    } else {
      entry.update({{"kernel", valid_utf8(op.kernel)},
                    {"dispatches", op.dispatches},
                    {"median_seconds", op.median_seconds},
                    {"p95_seconds", op.p95_seconds},
                    {"share", op.share},
                    {"multiply_accumulates", op.work.multiply_accumulates},
                    {"bytes", op.work.bytes},
                    {"gops", op.gops},
                    {"percent_of_roofline", op.percent_of_roofline}});
    }
    operators.push_back(std::move(entry));
  }
  return {{"schema", "lockstep-profile"},
          {"schema_version", bench::kSchemaVersion},
          {"model", valid_utf8(model)},
          {"numerics", numerics},
          {"device", conformance::device_to_json(profile.device)},
          {"host", valid_utf8(bench::host_processor())},
          {"clock", backend::RunProfile::clock_name(profile.clock)},
          {"roofline", bench::to_json(profile.roofline)},
          {"runs", profile.runs},
          {"partitions", profile.partitions},
          {"operators", std::move(operators)},
          {"copies_seconds", profile.copies_seconds},
          {"device_seconds", profile.device_seconds},
          {"profiled_run_seconds", profile.host_seconds},
          {"run_seconds", profile.run_seconds}};
}

}  // namespace lockstep::tools
