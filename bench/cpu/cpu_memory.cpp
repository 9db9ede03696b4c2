#include "bench/cpu/cpu_memory.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <set>

#include "backend/cpu/aligned_memory.h"
#include "bench/cpu/read_words.h"
#include "bench/cpu/threads.h"

namespace lockstep::bench {
namespace {

using backend::cpu::AlignedArray;
using backend::cpu::Target;

constexpr uint32_t kFill = 0x01020304u;
constexpr int64_t kKibi = int64_t{1} << 10;
constexpr int64_t kMebi = int64_t{1} << 20;
// So much is moved in a run, over and over where a cache is asked for.
constexpr int64_t kBytesOfRun = 64 * kMebi;

// What the system says of a cache, between bounds, because not every system knows.
int64_t cache_bytes(int name, int64_t least, int64_t most) {
  return std::clamp(static_cast<int64_t>(::sysconf(name)), least, most);
}

enum class Movement : uint8_t { kCopy, kRead };

struct MemoryTest {
  std::string name;
  std::string meaning;
  Movement movement;
  int32_t threads = 1;
  int64_t bytes = 0;   // of each thread: read, and for a copy as many written
  int64_t passes = 1;  // over them, in one run

  size_t words() const { return static_cast<size_t>(bytes) / sizeof(uint32_t); }
  double bytes_moved() const {
    return static_cast<double>(bytes * passes) * threads * (movement == Movement::kCopy ? 2 : 1);
  }
};

std::vector<MemoryTest> memory_tests(const Target& target, bool quick) {
  const int64_t last_cache = cache_bytes(_SC_LEVEL3_CACHE_SIZE, 0, 128 * kMebi);
  const int64_t memory = quick ? 64 * kMebi : std::max(2 * last_cache, 128 * kMebi);
  // Of a cache, the half is used, so that nothing else a thread touches drives it out.
  const struct {
    const char* group;
    const char* suffix;
    const char* what;
    int64_t used;
    bool is_shared;  // by all threads
  } levels[] = {{"cache/", "-l1", "the first cache",
                 cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 * kKibi, 256 * kKibi) / 2, false},
                {"cache/", "-l2", "the second cache",
                 cache_bytes(_SC_LEVEL2_CACHE_SIZE, 256 * kKibi, 16 * kMebi) / 2, false},
                {"memory/", "", "memory", memory, true}};
  constexpr int64_t kUnit = kReadWords * sizeof(uint32_t);
  std::vector<MemoryTest> tests;
  for (const auto& level : levels) {
    for (const Movement movement : {Movement::kCopy, Movement::kRead}) {
      for (const int32_t threads : std::set<int32_t>{1, target.threads}) {
        const bool is_copy = movement == Movement::kCopy;
        int64_t bytes = level.used / (is_copy && !level.is_shared ? 2 : 1);
        if (level.is_shared) bytes /= threads;
        bytes = std::max(bytes / kUnit, int64_t{1}) * kUnit;
        tests.push_back({.name = fmt::format("{}{}{}{}", level.group, is_copy ? "copy" : "read",
                                             level.suffix, threads_suffix(threads)),
                         .meaning = fmt::format("{} {}, {} KiB{}", level.what,
                                                is_copy ? "copied, read and written bytes" : "read",
                                                bytes / kKibi, threads > 1 ? " a thread" : ""),
                         .movement = movement,
                         .threads = threads,
                         .bytes = bytes,
                         .passes = std::max(kBytesOfRun / bytes, int64_t{1})});
      }
    }
  }
  return tests;
}

// All pages touched.
Result<AlignedArray<uint32_t>> filled_words(size_t count, uint32_t value) {
  try {
    AlignedArray<uint32_t> words(count);
    std::fill_n(words.data(), count, value);
    return words;
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kOutOfMemory, "no room for {} words to measure memory with",
                      count);
  }
}

// One run of a test; every thread has its part of `from` and `to`.
Result<double> run_test(const MemoryTest& test, backend::cpu::Isa isa, const uint32_t* from,
                        uint32_t* to) {
  std::atomic<bool> is_right = true;
  const auto seconds = seconds_of_threads(test.threads, [&](int32_t thread) {
    const size_t offset = static_cast<size_t>(thread) * test.words();
    uint32_t sum = 0;
    for (int64_t pass = 0; pass < test.passes; ++pass) {
      if (test.movement == Movement::kCopy) {
        std::memcpy(to + offset, from + offset, static_cast<size_t>(test.bytes));
      } else {
        sum += sum_of_words(isa, from + offset, test.words());
      }
    }
    const size_t words_read =
        test.movement == Movement::kRead ? test.words() * static_cast<size_t>(test.passes) : 0;
    if (sum != static_cast<uint32_t>(words_read * kFill)) is_right = false;
  });
  if (seconds && !is_right) {
    return make_error(ErrorCode::kInternal, "memory came back changed");
  }
  return seconds;
}

Status check_copy(const MemoryTest& test, backend::cpu::Isa isa, const uint32_t* from,
                  uint32_t* to) {
  const size_t words = static_cast<size_t>(test.threads) * test.words();
  std::fill_n(to, words, 0u);
  if (const auto run = run_test(test, isa, from, to); !run) return tl::unexpected(run.error());
  if (!std::all_of(to, to + words, [](uint32_t word) { return word == kFill; })) {
    return make_error(ErrorCode::kInternal, "{}: memory came back changed", test.name);
  }
  return {};
}

}  // namespace

Result<std::vector<DeviceMeasurement>> measure_cpu_memory(const Target& target,
                                                          const DeviceBenchmarkOptions& options,
                                                          const IsWanted& is_wanted) {
  std::vector<MemoryTest> tests = memory_tests(target, options.quick);
  std::erase_if(tests, [&](const MemoryTest& test) { return !is_wanted(test.name); });
  if (tests.empty()) return std::vector<DeviceMeasurement>{};
  size_t words = 0;
  for (const MemoryTest& test : tests) {
    words = std::max(words, static_cast<size_t>(test.threads) * test.words());
  }
  auto from = filled_words(words, kFill);
  if (!from) return tl::unexpected(from.error());
  auto to = filled_words(words, 0);
  if (!to) return tl::unexpected(to.error());
  std::vector<Competitor> competitors;
  for (const MemoryTest& test : tests) {
    if (test.movement == Movement::kCopy) {
      if (Status status = check_copy(test, target.isa, from->data(), to->data()); !status) {
        return tl::unexpected(status.error());
      }
    }
    competitors.push_back({test.name, [&test, isa = target.isa, &from, &to] {
                             return run_test(test, isa, from->data(), to->data());
                           }});
  }
  const auto seconds = measure(competitors, options.measure);
  if (!seconds) return tl::unexpected(seconds.error());
  std::vector<DeviceMeasurement> measurements;
  for (size_t i = 0; i < tests.size(); ++i) {
    const TimeSummary time = summarise((*seconds)[i]);
    measurements.push_back({.name = tests[i].name,
                            .meaning = tests[i].meaning,
                            .unavailable = {},
                            .value = tests[i].bytes_moved() * 1e-9 / time.median_seconds,
                            .unit = "GB/s",
                            .time = time});
  }
  return measurements;
}

}  // namespace lockstep::bench
