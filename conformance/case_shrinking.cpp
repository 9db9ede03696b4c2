#include "conformance/case_shrinking.h"

#include <utility>

#include "conformance/extent_coupling.h"
#include "conformance/shrink_stages.h"

namespace lockstep::conformance {
namespace {

std::vector<ShrinkStep> stage_steps(const std::shared_ptr<const Case>& source, ShrinkStage stage,
                                    const ShrinkContext& context) {
  switch (stage) {
    case ShrinkStage::kCut:
      return cutting_steps(source, context);
    case ShrinkStage::kExtents:
      return extent_steps(source);
    case ShrinkStage::kParameters:
      return parameter_steps(source);
    case ShrinkStage::kValues:
      return value_steps(source);
  }
  return {};
}

}  // namespace

ShrinkStep edit_step(std::string description, std::shared_ptr<const Case> source,
                     std::function<void(EditableCase&)> edit) {
  return {std::move(description),
          [source = std::move(source), edit = std::move(edit)]() -> Result<Case> {
            EditableCase edited(*source);
            edit(edited);
            const auto coupling = ExtentCoupling::analyse(edited);
            if (!coupling) return tl::unexpected(coupling.error());
            if (Status status = coupling->resize(edited, {}); !status) {
              return tl::unexpected(status.error());
            }
            return std::move(edited).finish();
          }};
}

std::vector<ShrinkStep> shrink_steps(const std::shared_ptr<const Case>& source, ShrinkStage stage,
                                     const ShrinkContext& context) {
  std::vector<ShrinkStep> steps = stage_steps(source, stage, context);
  const CaseMeasure measure = measure_case(*source);
  for (ShrinkStep& step : steps) {
    step.make = [measure, make = std::move(step.make)]() -> Result<Case> {
      auto smaller = make();
      if (smaller && !(measure_case(*smaller) < measure)) {
        return make_error(ErrorCode::kUnsupported, "the step makes the case no smaller");
      }
      return smaller;
    };
  }
  return steps;
}

}  // namespace lockstep::conformance
