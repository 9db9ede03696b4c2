// A device of any backend as the subject of a conformance run. It is opened once for every set of
// capabilities that can be hidden from it, so that it stands in for smaller devices too.
#pragma once

#include <memory>
#include <string_view>

#include "conformance/subject.h"

namespace lockstep::conformance {

// `selector` as for backend::open_device().
Result<std::unique_ptr<Subject>> open_device_subject(std::string_view selector);

}  // namespace lockstep::conformance
