// Shader modules with their specialization constants filled in, made once and kept between starts.
//
// One module computes many things, and its constants say which: what is left of it is often a
// third. Drivers parse, and translate several times over, all that they are given before they drop
// what is dead; where nothing else is left to do because the machine code is in a cache, that is
// what a start takes (docs/performance.md, entry 26). SwiftShader even executes the dead branches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/vulkan/device_cache.h"

namespace lockstep::backend::vulkan {

// Thread-safe. Must not outlive the cache.
class SpecializedModules {
 public:
  explicit SpecializedModules(DeviceCache& cache) : disk_(cache) {}
  SpecializedModules(const SpecializedModules&) = delete;
  SpecializedModules& operator=(const SpecializedModules&) = delete;

  // The embedded module `code`, known as `shader`, with those constants; empty where it is left to
  // the driver (specialization.h).
  std::vector<uint32_t> get(const std::string& shader, std::span<const uint32_t> code,
                            const std::vector<uint32_t>& specialization);

  // Writes what was made since the last time, together with what other processes have added.
  void save();

 private:
  using Key = std::pair<std::string, std::vector<uint32_t>>;
  using Words = std::map<Key, std::vector<uint32_t>>;

  static void parse(std::span<const std::byte> contents, Words& modules);
  static std::vector<std::byte> serialize(const Words& modules);

  DeviceCache& disk_;
  std::mutex mutex_;
  bool is_loaded_ = false;
  bool has_new_ = false;
  Words modules_;
  size_t words_ = 0;  // of all modules_
};

}  // namespace lockstep::backend::vulkan
