#include "backend/cpu/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#if defined(__linux__)
#include <sched.h>
#endif

#include "backend/cpu/round_to_nearest.h"

namespace lockstep::backend::cpu {
namespace {

// How long a thread looks for work of a run before it sleeps.
constexpr std::chrono::microseconds kAttention{60};

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Until done() or kAttention is over.
template <typename Done>
void look_for(const Done& done) {
  const auto end = std::chrono::steady_clock::now() + kAttention;
  do {
    for (int i = 0; i < 32; ++i) {
      if (done()) return;
      pause_briefly();
    }
  } while (std::chrono::steady_clock::now() < end);
}

#if defined(__linux__)

// The number in a file of one; -1 where there is none.
int read_number(const std::string& path) {
  std::ifstream file(path);
  int number = -1;
  file >> number;
  return file ? number : -1;
}

int32_t count_cores() {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (::sched_getaffinity(0, sizeof(usable), &usable) != 0) return 0;
  std::set<std::pair<int, int>> cores;  // package and number in it
  int32_t unknown = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &usable)) continue;
    const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    const int core = read_number(topology + "core_id");
    if (core < 0) {
      ++unknown;
    } else {
      cores.emplace(read_number(topology + "physical_package_id"), core);
    }
  }
  return static_cast<int32_t>(cores.size()) + unknown;
}

#else

int32_t count_cores() { return static_cast<int32_t>(std::thread::hardware_concurrency()); }

#endif

}  // namespace

int32_t physical_cores() { return std::max(count_cores(), 1); }

ThreadPool::ThreadPool(int32_t threads) : work_(threads) {
  for (int32_t worker = 1; worker < threads; ++worker) {
    try {
      helpers_.emplace_back([this, worker] { help(worker); });
    } catch (const std::system_error&) {
      return;  // fewer threads are slower, and no less right
    }
  }
}

ThreadPool::~ThreadPool() {
  state_.fetch_or(kStop, std::memory_order_release);
  state_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void ThreadPool::Work::divide(int64_t count) {
  const auto workers = static_cast<int64_t>(shares.size());
  for (int64_t worker = 0; worker < workers; ++worker) {
    Share& share = shares[static_cast<size_t>(worker)];
    share.next.store(count * worker / workers, std::memory_order_relaxed);
    share.end = count * (worker + 1) / workers;
  }
}

void ThreadPool::Work::take_part(int32_t worker) {
  for (size_t i = 0; i < shares.size(); ++i) {
    Share& share = shares[(static_cast<size_t>(worker) + i) % shares.size()];
    for (;;) {
      const int64_t index = share.next.fetch_add(1, std::memory_order_relaxed);
      if (index >= share.end) break;
      task(context, index, worker);
    }
  }
}

// Returns another state than `seen`.
uint32_t ThreadPool::wait_for_change(uint32_t seen) {
  const auto changed = [&] { return state_.load(std::memory_order_acquire) != seen; };
  look_for(changed);
  while (!changed()) state_.wait(seen, std::memory_order_acquire);
  return state_.load(std::memory_order_acquire);
}

void ThreadPool::help(int32_t worker) {
  const RoundToNearest round_to_nearest;
  uint32_t state = state_.load(std::memory_order_acquire);
  while ((state & kStop) == 0) {
    if ((state & kOpen) == 0) {
      state = wait_for_change(state);
      continue;
    }
    if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) continue;
    work_.take_part(worker);
    state = state_.fetch_sub(1, std::memory_order_acq_rel) - 1;
    state_.notify_all();
    // Nothing is left of this work: whoever opened it will close it, and may open the next one.
    const uint32_t turn = state & ~(kTurn - 1);
    while ((state & kOpen) != 0 && (state & kStop) == 0 && (state & ~(kTurn - 1)) == turn) {
      state = wait_for_change(state);
    }
  }
}

// With a new turn, the first piece of work finds the threads awake.
ThreadPool::Lease::Lease(ThreadPool& pool, bool wakes)
    : pool_(pool),
      wakes_(wakes),
      has_right_((pool.state_.fetch_or(kLeased, std::memory_order_acq_rel) & kLeased) == 0) {
  if (has_right_ && wakes_ && pool_.threads() > 1) {
    pool_.state_.fetch_add(kTurn, std::memory_order_release);
    pool_.state_.notify_all();
  }
}

ThreadPool::Lease::~Lease() {
  if (has_right_) pool_.state_.fetch_and(~kLeased, std::memory_order_release);
}

void ThreadPool::Lease::run_erased(int64_t count, ErasedTask task, const void* context) {
  if (count <= 1 || pool_.threads() == 1 || !has_right_) {
    for (int64_t index = 0; index < count; ++index) task(context, index, 0);
    return;
  }
  Work& work = pool_.work_;
  work.task = task;
  work.context = context;
  work.divide(count);
  std::atomic<uint32_t>& state = pool_.state_;
  state.fetch_add(kTurn | kOpen, std::memory_order_release);
  if (wakes_) state.notify_all();
  work.take_part(0);
  uint32_t now = state.fetch_sub(kOpen, std::memory_order_acq_rel) - kOpen;
  const auto all_left = [&] {
    now = state.load(std::memory_order_acquire);
    return (now & kHelpersInside) == 0;
  };
  look_for(all_left);
  while (!all_left()) state.wait(now, std::memory_order_acquire);
}

std::shared_ptr<ThreadPool> shared_thread_pool(int32_t threads) {
  static std::mutex mutex;
  static std::map<int32_t, std::weak_ptr<ThreadPool>> pools;
  threads = std::clamp(threads, 1, kMostThreads);
  const std::lock_guard lock(mutex);
  std::weak_ptr<ThreadPool>& known = pools[threads];
  std::shared_ptr<ThreadPool> pool = known.lock();
  if (!pool) {
    pool = std::make_shared<ThreadPool>(threads);
    known = pool;
  }
  return pool;
}

}  // namespace lockstep::backend::cpu
