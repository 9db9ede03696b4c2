// Reports for tests: small ones with a bit of everything, and the means to take apart what is made
// of them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/report.h"

namespace lockstep::conformance::testing {

// Text that breaks whatever forgets to escape it: markup, quotes, the end of a script, control
// characters, a direction mark, a byte that is no UTF-8.
inline constexpr std::string_view kHostileText =
    "<img src=x onerror=alert(1)> \"'&amp; </script><!-- ]]> \x1b[31m\x07\xe2\x80\xae\xff\n\t$&";

// A digest that depends on the text only.
Digest sample_digest(std::string_view text);

RunResult passed_run(std::string case_name, numerics::Contract contract, std::string configuration);
// kFail with a difference in a 2x6x5x7 tensor.
RunResult failed_run(std::string case_name, numerics::Contract contract, std::string configuration);
// A run of that verdict which computed nothing.
RunResult empty_run(std::string case_name, numerics::Contract contract, Verdict verdict,
                    std::string reason);

// Every field differs from its default and from every other of its type where that is possible.
Report sample_report();

// An element of an XML or HTML document, in the order of the start tags.
struct MarkupElement {
  std::string name;
  std::map<std::string, std::string> attributes;  // references resolved
  std::string text;  // directly inside, references resolved; of <script> and <style> as it stands
  int depth = 0;
};

// Reads well-formed markup strictly: every element closed, every attribute quoted and there once,
// only known references, no '<' in values, no control characters. Where something is wrong, `error`
// says what. <script> and <style> hold raw text, as in HTML, when `is_html`.
struct Markup {
  std::vector<MarkupElement> elements;
  std::string error;

  std::vector<const MarkupElement*> named(std::string_view name) const;
};
Markup parse_markup(std::string_view document, bool is_html);

}  // namespace lockstep::conformance::testing
