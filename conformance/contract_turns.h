// Which configurations compute a case under which contract when not each must under every one.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "conformance/subject.h"

namespace lockstep::conformance {

// Contracts differ in how they round, configurations in how they walk through the work. A rounding
// is the same code in every kernel, so that a configuration of a case says most of what it can
// under one contract. Of one case.
class ContractTurns {
 public:
  ContractTurns(std::string_view case_name, size_t contracts)
      : case_name_(case_name), contracts_(contracts) {}

  // Contracts are asked in their order, `contract` counts in it. True from the configuration's turn
  // on, until it has computed the case: a contract that does not compute it is made up for by the
  // next.
  bool is_due(const Configuration& configuration, size_t contract) const;
  // Under some contract; the equivalent configurations have too.
  void computed(const ConfigurationGroup& group);
  bool has_computed(const Configuration& configuration) const;

 private:
  // Less than `contracts_`; follows from both names alone, so that shards and machines agree, and
  // spreads the configurations of a case, and the cases of a configuration, over all contracts.
  size_t turn_of(const Configuration& configuration) const;

  std::string case_name_;
  size_t contracts_ = 0;
  std::set<std::string> computed_;
};

}  // namespace lockstep::conformance
