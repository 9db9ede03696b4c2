#include "backend/cpu/isa_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <ranges>
#include <string>

namespace lockstep::backend::cpu {
namespace {

bool is_arm(Isa isa) { return isa >= Isa::kNeon; }

std::string names(bool of_arm) {
  std::string text;
  for (const Isa isa : kAllIsas) {
    if (is_arm(isa) == of_arm) text += fmt::format("{}{}", text.empty() ? "" : ", ", isa_name(isa));
  }
  return text;
}

}  // namespace

Result<IsaChoice> choose_isa(std::span<const Isa> executable, std::string_view cap,
                             const std::function<bool(Isa)>& test) {
  if (executable.empty()) {
    return make_error(ErrorCode::kDeviceUnavailable,
                      "there are kernels for 64-bit ARM, and for x86 with SSE4.2 or better: not "
                      "for this processor");
  }
  std::optional<Isa> most;
  if (!cap.empty()) {
    most = parse_isa(cap);
    if (!most || is_arm(*most) != is_arm(executable.front())) {
      return make_error(ErrorCode::kInvalidArgument,
                        "'{}' is no instruction set of this kind of processor; there are {}", cap,
                        names(is_arm(executable.front())));
    }
  }
  std::vector<Isa> liars;
  for (const Isa isa : executable | std::views::reverse) {
    if (most && isa > *most) continue;
    if (test(isa)) return IsaChoice{isa, std::move(liars)};
    liars.push_back(isa);
  }
  return make_error(ErrorCode::kDeviceUnavailable,
                    "no instruction set of this processor passed the self-test");
}

}  // namespace lockstep::backend::cpu
