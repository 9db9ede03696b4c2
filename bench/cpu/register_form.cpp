#include "bench/cpu/register_form.h"

#include <algorithm>
#include <iterator>

namespace lockstep::bench {

std::vector<RegisterForm> register_forms() {
  std::vector<RegisterForm> forms = vector_forms();
  std::ranges::move(x86_forms(), std::back_inserter(forms));
  std::ranges::move(arm_forms(), std::back_inserter(forms));
  std::ranges::stable_sort(forms, std::less<>(), &RegisterForm::isa);
  return forms;
}

}  // namespace lockstep::bench
