// How fast a device can possibly be at some work: its multiplier or its memory is the limit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

namespace lockstep::bench {

// Giga operations and gigabytes a second; a multiply-accumulate is two operations.
struct Roofline {
  double peak_gops = 0;             // the fastest exact int8 form of multiplying and adding
  std::string peak_form;            // which that is
  double gigabytes_per_second = 0;  // the faster one of copying and reading

  bool is_known() const { return peak_gops > 0 && gigabytes_per_second > 0; }

  // The limit for work of so many operations a byte moved.
  double attainable_gops(double operations_per_byte) const {
    return std::min(peak_gops, operations_per_byte * gigabytes_per_second);
  }
};

// Work as a roofline sees it: what any implementation must compute and move at least once.
struct Work {
  int64_t multiply_accumulates = 0;
  int64_t bytes = 0;  // inputs, weights and outputs, each once

  double operations() const { return 2.0 * static_cast<double>(multiply_accumulates); }
  double operations_per_byte() const {
    return bytes > 0 ? operations() / static_cast<double>(bytes) : 0;
  }
  double gops(double seconds) const { return seconds > 0 ? operations() * 1e-9 / seconds : 0; }

  // Of the roofline, when it takes so long; 0 where the roofline is unknown. Above 100 where the
  // work's memory is in a cache that is faster than what `roofline` was measured on. Work that
  // multiplies nothing is measured by the memory alone.
  double percent_of(const Roofline& roofline, double seconds) const {
    if (!roofline.is_known() || seconds <= 0) return 0;
    if (multiply_accumulates == 0) {
      return 100.0 * static_cast<double>(bytes) * 1e-9 / seconds / roofline.gigabytes_per_second;
    }
    return 100.0 * gops(seconds) / roofline.attainable_gops(operations_per_byte());
  }
};

}  // namespace lockstep::bench
