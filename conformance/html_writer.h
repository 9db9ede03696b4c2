// Writes HTML in which only what is meant as markup is markup.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "conformance/text.h"

namespace lockstep::conformance {

class HtmlWriter {
 public:
  // Markup written by us, never text from elsewhere.
  HtmlWriter& raw(std::string_view markup) {
    page_ += markup;
    return *this;
  }
  // Text from anywhere, also for the inside of a double-quoted attribute value.
  HtmlWriter& text(std::string_view text) {
    page_ += escape_markup(text);
    return *this;
  }
  // <tag>text</tag>, with a class where one is given.
  HtmlWriter& element(std::string_view tag, std::string_view contents,
                      std::string_view css_class = {}) {
    raw("<").raw(tag);
    if (!css_class.empty()) raw(" class=\"").raw(css_class).raw("\"");
    return raw(">").text(contents).raw("</").raw(tag).raw(">");
  }

  std::string take() { return std::move(page_); }

 private:
  std::string page_;
};

}  // namespace lockstep::conformance
