// Asks fmt for everything that needs its library: links only where fmt_once.cpp suits this version.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <locale>
#include <string>
#include <vector>

int main(int argc, char**) {
  const std::vector<std::string> texts = {fmt::format("{:L} {:#x}", argc, argc)};
  fmt::print("{} {:g} {:.3f} {:L} {}\n", 1.0 / argc, 1.0F / static_cast<float>(argc), 0.1 * argc,
             1e6 * argc, fmt::join(texts, ", "));
  fmt::print("{}\n", fmt::format(std::locale(), "{:L} {}", 1e6 * argc, texts));
  return fmt::to_string(argc).empty() ? 1 : 0;
}
