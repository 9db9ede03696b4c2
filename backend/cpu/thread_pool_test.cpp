#include "backend/cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <optional>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace lockstep::backend::cpu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How often each index was asked for.
std::vector<int> calls_of_a_run(ThreadPool::Lease& lease, int64_t count) {
  std::vector<std::atomic<int>> calls(static_cast<size_t>(count));
  lease.run(count, [&](int64_t index, int32_t) { ++calls[static_cast<size_t>(index)]; });
  return {calls.begin(), calls.end()};
}

// Whether so many tasks of one run are under way at the same time: each waits for all others.
bool runs_at_once(ThreadPool::Lease& lease, int32_t tasks) {
  std::atomic<int32_t> arrived{0};
  std::atomic<int32_t> met{0};
  lease.run(tasks, [&](int64_t, int32_t) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(5);
    ++arrived;
    while (arrived < tasks && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    if (arrived == tasks) ++met;
  });
  return met == tasks;
}

// Expects that all calls of a run come from the calling thread, as worker 0.
void expect_does_it_alone(ThreadPool& pool) {
  ThreadPool::Lease lease = pool.lease();
  std::vector<int64_t> indices;
  const std::thread::id caller = std::this_thread::get_id();
  lease.run(5, [&](int64_t index, int32_t worker) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(worker, 0);
    indices.push_back(index);
  });
  EXPECT_EQ(indices, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

std::chrono::nanoseconds time_of_all_threads() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// What the process computes for while this thread does nothing.
std::chrono::nanoseconds time_of_a_pause() {
  std::this_thread::sleep_for(milliseconds(20));  // for threads to fall asleep
  const auto before = time_of_all_threads();
  std::this_thread::sleep_for(milliseconds(100));
  return time_of_all_threads() - before;
}

TEST(ThreadPool, CallsEveryIndexOnce) {
  for (const int32_t threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    ThreadPool::Lease lease = pool.lease();
    for (const int64_t count : {0, 1, 2, 3, 7, 100, 1000}) {
      const std::vector<int> calls = calls_of_a_run(lease, count);
      EXPECT_EQ(std::ranges::count(calls, 1), count) << threads << " threads";
    }
  }
}

TEST(ThreadPool, SeesEveryRunOfMany) {
  ThreadPool pool(3);
  ThreadPool::Lease lease = pool.lease();
  // More runs than the counter in the pool's state has values.
  for (int run = 0; run < 20'000; ++run) {
    std::atomic<int64_t> sum{0};
    lease.run(4, [&](int64_t index, int32_t) { sum += index + 1; });
    ASSERT_EQ(sum, 10) << "run " << run;
  }
  EXPECT_TRUE(runs_at_once(lease, 3));
}

TEST(ThreadPool, RunsTasksAtOnce) {
  ThreadPool pool(3);
  for (int i = 0; i < 3; ++i) {
    ThreadPool::Lease lease = pool.lease();
    EXPECT_TRUE(runs_at_once(lease, 3));
    EXPECT_TRUE(runs_at_once(lease, 2));
  }
}

// Plain memory of one worker needs no protection.
TEST(ThreadPool, CallsOfOneWorkerFollowEachOther) {
  struct alignas(64) Worker {
    std::atomic<int> inside{0};
    int64_t calls = 0;
  };
  ThreadPool pool(4);
  std::array<Worker, 4> workers;
  std::atomic<int> overlaps{0};
  for (int run = 0; run < 200; ++run) {
    ThreadPool::Lease lease = pool.lease();
    lease.run(50, [&](int64_t, int32_t worker) {
      ASSERT_GE(worker, 0);
      ASSERT_LT(worker, 4);
      Worker& own = workers[static_cast<size_t>(worker)];
      if (++own.inside != 1) ++overlaps;
      ++own.calls;
      --own.inside;
    });
  }
  EXPECT_EQ(overlaps, 0);
  int64_t calls = 0;
  for (const Worker& worker : workers) calls += worker.calls;
  EXPECT_EQ(calls, 200 * 50);
}

// Each run reads, in other tasks, what the one before it wrote.
TEST(ThreadPool, RunsSeeWhatEarlierOnesWrote) {
  ThreadPool pool(4);
  ThreadPool::Lease lease = pool.lease();
  std::array<std::vector<int64_t>, 2> values;
  values.fill(std::vector<int64_t>(64, 0));
  for (size_t run = 0; run < 500; ++run) {
    const std::vector<int64_t>& from = values[run % 2];
    std::vector<int64_t>& to = values[(run + 1) % 2];
    lease.run(64, [&](int64_t index, int32_t) {
      to[static_cast<size_t>(index)] = from[static_cast<size_t>(63 - index)] + 1;
    });
    ASSERT_EQ(std::ranges::count(to, static_cast<int64_t>(run) + 1), 64);
  }
}

TEST(ThreadPool, WhoFindsThreadsLeasedDoesItAlone) {
  ThreadPool pool(3);
  {
    const ThreadPool::Lease taken = pool.lease();
    std::thread([&] { expect_does_it_alone(pool); }).join();
  }
  std::thread([&] {
    ThreadPool::Lease lease = pool.lease();
    EXPECT_TRUE(runs_at_once(lease, 3));
  }).join();
}

TEST(ThreadPool, TasksMayLeaseThePoolThatRunsThem) {
  ThreadPool pool(3);
  ThreadPool::Lease lease = pool.lease();
  lease.run(6, [&](int64_t, int32_t) { expect_does_it_alone(pool); });
  EXPECT_TRUE(runs_at_once(lease, 3)) << "the inner leases must not give up the outer one's right";
}

TEST(ThreadPool, TakesLeasesOfManyThreads) {
  ThreadPool pool(3);
  std::vector<std::thread> threads;
  std::atomic<int64_t> sum{0};
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        ThreadPool::Lease lease = pool.lease();
        for (int run = 0; run < 3; ++run) {
          lease.run(5, [&](int64_t index, int32_t) { sum += index; });
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, 4 * 500 * 3 * 10);
}

TEST(ThreadPool, IdleThreadsUseNoTime) {
  ThreadPool pool(4);
  EXPECT_LT(time_of_a_pause(), milliseconds(20)) << "before the first run";
  {
    ThreadPool::Lease lease = pool.lease();
    calls_of_a_run(lease, 100);
    EXPECT_LT(time_of_a_pause(), milliseconds(20)) << "in a lease";
    EXPECT_TRUE(runs_at_once(lease, 4));
  }
  EXPECT_LT(time_of_a_pause(), milliseconds(20)) << "after a lease";
}

TEST(ThreadPool, MayBeMadeAndDestroyedTenThousandTimes) {
  for (int cycle = 0; cycle < 10'000; ++cycle) {
    ThreadPool pool(2 + cycle % 2);
    if (cycle % 5 == 0) continue;  // nor does it need a run
    ThreadPool::Lease lease = pool.lease();
    std::atomic<int> calls{0};
    lease.run(4, [&](int64_t, int32_t) { ++calls; });
    ASSERT_EQ(calls, 4);
  }
}

TEST(SharedThreadPool, IsOneForEachNumberOfThreads) {
  const auto pool = shared_thread_pool(3);
  EXPECT_EQ(pool->threads(), 3);
  EXPECT_EQ(shared_thread_pool(3), pool);
  EXPECT_NE(shared_thread_pool(2), pool);
  EXPECT_EQ(shared_thread_pool(0)->threads(), 1);
  EXPECT_EQ(shared_thread_pool(-7)->threads(), 1);
}

TEST(SharedThreadPool, EndsWithTheLastWhoKeepsIt) {
  std::optional pool = shared_thread_pool(5);
  const std::weak_ptr<ThreadPool> seen = *pool;
  auto other = shared_thread_pool(5);
  pool.reset();
  EXPECT_FALSE(seen.expired());
  other.reset();
  EXPECT_TRUE(seen.expired());
  EXPECT_EQ(shared_thread_pool(5)->threads(), 5);
}

TEST(PhysicalCores, AreAtLeastOneAndNoMoreThanHardwareThreads) {
  EXPECT_GE(physical_cores(), 1);
  EXPECT_LE(physical_cores(), std::max(static_cast<int>(std::thread::hardware_concurrency()), 1));
}

#if defined(__linux__)
TEST(PhysicalCores, AreThoseThatMayBeUsed) {
  std::thread([] {
    cpu_set_t usable;
    CPU_ZERO(&usable);
    ASSERT_EQ(::sched_getaffinity(0, sizeof(usable), &usable), 0);
    int first = 0;
    while (!CPU_ISSET(first, &usable)) ++first;
    CPU_ZERO(&usable);
    CPU_SET(first, &usable);
    ASSERT_EQ(::sched_setaffinity(0, sizeof(usable), &usable), 0);
    EXPECT_EQ(physical_cores(), 1);
  }).join();
}
#endif

}  // namespace
}  // namespace lockstep::backend::cpu
