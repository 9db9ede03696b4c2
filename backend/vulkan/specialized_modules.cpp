#include "backend/vulkan/specialized_modules.h"

#include "backend/vulkan/specialization.h"
#include "backend/vulkan/specialized_modules_generated.h"

namespace lockstep::backend::vulkan {
namespace {

constexpr std::string_view kCacheKind = "modules";

// More than any application's networks need, and little enough to be read at every start. Whatever
// is made beyond (conformance runs force every kernel there is) is made again the next time.
constexpr size_t kMaximumWords = size_t{4} << 20;

}  // namespace

void SpecializedModules::parse(std::span<const std::byte> contents, Words& modules) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(contents.data());
  flatbuffers::Verifier verifier(bytes, contents.size());
  if (contents.empty() || !cache_schema::VerifyModulesBuffer(verifier)) {
    return;
  }
  for (const cache_schema::Module* module : *cache_schema::GetModules(bytes)->modules()) {
    const auto& constants = *module->specialization();
    const auto& words = *module->words();
    modules.emplace(Key{module->shader()->str(), {constants.begin(), constants.end()}},
                    std::vector<uint32_t>(words.begin(), words.end()));
  }
}

std::vector<std::byte> SpecializedModules::serialize(const Words& modules) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<cache_schema::Module>> offsets;
  for (const auto& [key, words] : modules) {
    offsets.push_back(
        cache_schema::CreateModuleDirect(builder, key.first.c_str(), &key.second, &words));
  }
  builder.Finish(cache_schema::CreateModulesDirect(builder, &offsets));
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}

std::vector<uint32_t> SpecializedModules::get(const std::string& shader,
                                              std::span<const uint32_t> code,
                                              const std::vector<uint32_t>& specialization) {
  const Key key{shader, specialization};
  {
    const std::lock_guard lock(mutex_);
    if (!is_loaded_) {
      parse(disk_.load(kCacheKind), modules_);
      for (const auto& [loaded, words] : modules_) {
        words_ += words.size();
      }
      is_loaded_ = true;
    }
    if (const auto found = modules_.find(key); found != modules_.end()) {
      return found->second;
    }
  }
  std::vector<uint32_t> words = specialize(code, specialization);
  const std::lock_guard lock(mutex_);
  if (disk_.is_enabled() && !words.empty() && words_ + words.size() <= kMaximumWords &&
      modules_.emplace(key, words).second) {
    words_ += words.size();
    has_new_ = true;
  }
  return words;
}

void SpecializedModules::save() {
  const std::lock_guard lock(mutex_);
  if (!has_new_) {
    return;
  }
  has_new_ = false;
  disk_.update(kCacheKind, {}, [this](std::span<const std::byte> existing) {
    Words merged = modules_;
    parse(existing, merged);
    return serialize(merged);
  });
}

}  // namespace lockstep::backend::vulkan
