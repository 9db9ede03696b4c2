// Threads that help with the tasks of one piece of work after another.
//
// Idle threads sleep. After each piece of work they look for the next one for some tens of
// microseconds before they do, because waking a thread takes about as long as a small layer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace lockstep::backend::cpu {

// Cores that this process may run on, hardware threads of one core counted once.
int32_t physical_cores();

class ThreadPool {
 public:
  // `threads` counts the thread that calls run(): one fewer are started, or as many of them as the
  // system grants.
  explicit ThreadPool(int32_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int32_t threads() const { return static_cast<int32_t>(helpers_.size()) + 1; }

  // The right to the pool's threads, for one run. Leases of other threads find it taken.
  class Lease {
   public:
    // Never waits. Without `wakes`, only threads help that are awake yet.
    explicit Lease(ThreadPool& pool, bool wakes = true);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    // Calls task(index, worker) once for every 0 <= index < count and returns when all calls
    // have. Those of one `worker`, 0 <= worker < threads(), follow each other. Without the right
    // to the threads, the calling one does it all, as worker 0.
    template <typename Task>
    void run(int64_t count, const Task& task) {
      run_erased(
          count,
          [](const void* context, int64_t index, int32_t worker) {
            (*static_cast<const Task*>(context))(index, worker);
          },
          &task);
    }

   private:
    friend class ThreadPool;
    using ErasedTask = void (*)(const void* context, int64_t index, int32_t worker);
    void run_erased(int64_t count, ErasedTask task, const void* context);

    ThreadPool& pool_;
    const bool wakes_;
    const bool has_right_;
  };
  Lease lease() { return Lease(*this); }

 private:
  // Neighbouring indices, which one worker begins with and others take when they have done theirs.
  // So the same worker gets the same part of one piece of work after another, if all have as many
  // tasks, and finds in its cache what it has written. Alone on its line of cache.
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  // What is to be done. Written while no helper is in it.
  struct Work {
    Lease::ErasedTask task = nullptr;
    const void* context = nullptr;
    std::vector<Share> shares;  // one for each worker

    explicit Work(int32_t workers) : shares(static_cast<size_t>(workers)) {}
    void divide(int64_t count);
    void take_part(int32_t worker);
  };

  void help(int32_t worker);
  uint32_t wait_for_change(uint32_t seen);

  // The parts of state_. Helpers enter the work while it is open; whoever closed it waits until
  // the last one has left.
  static constexpr uint32_t kHelpersInside = 0xffff;  // their number
  static constexpr uint32_t kOpen = 0x10000;
  static constexpr uint32_t kStop = 0x20000;
  static constexpr uint32_t kLeased = 0x40000;
  static constexpr uint32_t kTurn = 0x80000;  // unit of a counter, so that no opening goes unseen

  Work work_;
  std::atomic<uint32_t> state_{0};
  std::vector<std::thread> helpers_;
};

// A pool of so many threads, 1 to kMostThreads, which all that ask for this number share as long as
// one of them keeps it.
inline constexpr int32_t kMostThreads = 1024;
std::shared_ptr<ThreadPool> shared_thread_pool(int32_t threads);

}  // namespace lockstep::backend::cpu
