#include "conformance/minimiser.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "conformance/case_shrinking.h"

namespace lockstep::conformance {
namespace {

using Clock = std::chrono::steady_clock;

class Minimiser {
 public:
  Minimiser(const Case& failing, numerics::Contract contract, const CaseTester& test,
            const MinimiserOptions& options)
      : test_(test),
        options_(options),
        contract_(contract),
        smallest_(std::make_shared<const Case>(failing)),
        deadline_(Clock::now() + options.maximum_time) {
    progress_.measure = measure_case(*smallest_);
  }

  Result<MinimisedCase> run() {
    if (Status status = run_original(); !status) return tl::unexpected(status.error());
    // Stages help each other: one extent less may make an operator's parameter superfluous.
    int64_t accepted_before = -1;
    while (!is_stopped() && progress_.accepted != accepted_before) {
      accepted_before = progress_.accepted;
      for (const ShrinkStage stage : kAllShrinkStages) run_stage(stage);
    }
    return MinimisedCase{.smallest = *smallest_,
                         .failure = std::move(failure_),
                         .progress = std::move(progress_),
                         .steps = std::move(steps_taken_),
                         .stopped = std::move(stopped_)};
  }

 private:
  struct Candidate {
    size_t step;
    Case made;
  };

  bool is_stopped() {
    if (!stopped_.empty()) return true;
    if (progress_.candidates >= options_.maximum_candidates) {
      stopped_ = fmt::format("{} candidates were tried", progress_.candidates);
    } else if (Clock::now() >= deadline_) {
      stopped_ = "the time is up";
    }
    return !stopped_.empty();
  }

  Status run_original() {
    for (int32_t attempt = 0; attempt < options_.original_attempts; ++attempt) {
      auto outcome = test_(std::span(smallest_.get(), 1));
      if (!outcome) return tl::unexpected(outcome.error());
      if (outcome->size() == 1 && outcome->front()) {
        failure_ = std::move(*outcome->front());
        return {};
      }
    }
    return make_error(ErrorCode::kInvalidArgument, "'{}' does not fail in this way when run alone",
                      smallest_->name);
  }

  // Goes round and round the steps of a stage until none of them leads to a failing case. After a
  // success it goes on at the same place: what could be halved once can often be halved again, and
  // the steps before it have just been tried.
  void run_stage(ShrinkStage stage) {
    std::vector<ShrinkStep> steps = list_steps(stage);
    size_t position = 0;
    size_t untried = steps.size();
    size_t batch_size = 1;
    while (untried > 0 && !is_stopped()) {
      const auto [batch, walked] = make_batch(steps, position, untried, batch_size);
      const auto accepted = test_batch(batch);
      if (!stopped_.empty()) return;
      if (!accepted) {
        position = (position + walked) % std::max<size_t>(steps.size(), 1);
        untried -= walked;
        batch_size = std::min(batch_size * 2, options_.maximum_batch);
        continue;
      }
      steps_taken_.push_back(steps[batch[*accepted].step].description);
      accept(batch[*accepted].made);
      const size_t step = batch[*accepted].step;
      steps = list_steps(stage);
      position = steps.empty() ? 0 : step % steps.size();
      untried = steps.size();
      batch_size = 1;
    }
  }

  std::vector<ShrinkStep> list_steps(ShrinkStage stage) const {
    return shrink_steps(
        smallest_, stage,
        {.contract = contract_,
         .failing_tensor = failure_.difference ? failure_.difference->tensor : std::string()});
  }

  // The next candidates from `position` on, and how many steps were walked for them.
  std::pair<std::vector<Candidate>, size_t> make_batch(const std::vector<ShrinkStep>& steps,
                                                       size_t position, size_t untried,
                                                       size_t batch_size) const {
    const auto room = static_cast<size_t>(options_.maximum_candidates - progress_.candidates);
    std::vector<Candidate> batch;
    size_t walked = 0;
    while (walked < untried && batch.size() < std::min(batch_size, room) &&
           Clock::now() < deadline_) {
      const size_t step = (position + walked) % steps.size();
      ++walked;
      if (auto made = steps[step].make()) batch.push_back({step, std::move(*made)});
    }
    return {std::move(batch), walked};
  }

  // Index of the first candidate that fails in the same way.
  std::optional<size_t> test_batch(const std::vector<Candidate>& batch) {
    if (batch.empty()) return std::nullopt;
    std::vector<Case> cases;
    for (const Candidate& candidate : batch) cases.push_back(candidate.made);
    auto outcomes = test_(cases);
    if (!outcomes || outcomes->size() != batch.size()) {
      stopped_ = outcomes ? "the tester gave too few answers" : outcomes.error().message;
      return std::nullopt;
    }
    progress_.candidates += static_cast<int64_t>(batch.size());
    const auto failed = std::ranges::find_if(
        *outcomes, [](const std::optional<RunResult>& outcome) { return outcome.has_value(); });
    if (failed == outcomes->end()) {
      report_progress();
      return std::nullopt;
    }
    failure_ = std::move(**failed);
    return static_cast<size_t>(failed - outcomes->begin());
  }

  void accept(const Case& smaller) {
    smallest_ = std::make_shared<const Case>(smaller);
    ++progress_.accepted;
    progress_.measure = measure_case(*smallest_);
    progress_.last_step = steps_taken_.back();
    report_progress();
  }

  void report_progress() const {
    if (options_.on_progress) options_.on_progress(progress_);
  }

  const CaseTester& test_;
  const MinimiserOptions& options_;
  numerics::Contract contract_;
  std::shared_ptr<const Case> smallest_;
  Clock::time_point deadline_;
  RunResult failure_;
  MinimiserProgress progress_;
  std::vector<std::string> steps_taken_;
  std::string stopped_;
};

}  // namespace

Result<MinimisedCase> minimise(const Case& failing, numerics::Contract contract,
                               const CaseTester& test, const MinimiserOptions& options) {
  return Minimiser(failing, contract, test, options).run();
}

}  // namespace lockstep::conformance
