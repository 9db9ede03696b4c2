#include "conformance/contract_turns.h"

#include "conformance/digest.h"

namespace lockstep::conformance {

bool ContractTurns::is_due(const Configuration& configuration, size_t contract) const {
  return contract >= turn_of(configuration) && !has_computed(configuration);
}

void ContractTurns::computed(const ConfigurationGroup& group) {
  computed_.insert(group.configuration.name());
  for (const Configuration& equivalent : group.equivalent) computed_.insert(equivalent.name());
}

bool ContractTurns::has_computed(const Configuration& configuration) const {
  return computed_.contains(configuration.name());
}

size_t ContractTurns::turn_of(const Configuration& configuration) const {
  const Digest digest = digest_of(case_name_ + '\n' + configuration.name());
  return size_t{digest.bytes[0]} % contracts_;
}

}  // namespace lockstep::conformance
