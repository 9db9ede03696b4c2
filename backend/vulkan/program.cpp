#include "backend/vulkan/program.h"

#include <algorithm>
#include <cstring>

#include "backend/vulkan/host_layout.h"
#include "backend/vulkan/result.h"

namespace lockstep::backend::vulkan {
namespace {

// False for a submission that may still be running: its memory must not be freed. A lost device
// runs nothing any more.
bool is_finished(const LogicalDevice& device, VkFence fence) {
  const VkResult status = device.functions().vkGetFenceStatus(device.get(), fence);
  return status == VK_SUCCESS || status == VK_ERROR_DEVICE_LOST;
}

}  // namespace

void VulkanProgram::abandon(std::unique_ptr<Resources> resources) {
  static std::mutex mutex;
  static auto* const abandoned = new std::vector<std::unique_ptr<Resources>>();
  const std::lock_guard lock(mutex);
  abandoned->push_back(std::move(resources));
}

VulkanProgram::~VulkanProgram() = default;

Status VulkanProgram::check_sizes(std::span<const std::span<const std::byte>> inputs,
                                  std::span<const std::span<std::byte>> outputs) const {
  if (inputs.size() != inputs_.size() || outputs.size() != outputs_.size()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the program has {} inputs and {} outputs; {} and {} were given",
                      inputs_.size(), outputs_.size(), inputs.size(), outputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].size() != inputs_[i].host_bytes) {
      return make_error(ErrorCode::kInvalidArgument, "input {} ('{}') has {} bytes; {} were given",
                        i, inputs_[i].name, inputs_[i].host_bytes, inputs[i].size());
    }
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].size() != outputs_[i].host_bytes) {
      return make_error(ErrorCode::kInvalidArgument,
                        "output {} ('{}') has {} bytes; room for {} was given", i, outputs_[i].name,
                        outputs_[i].host_bytes, outputs[i].size());
    }
  }
  return {};
}

Status VulkanProgram::execute(VkCommandBuffer commands) {
  LogicalDevice& device = *resources_->context->device;
  const VkFence fence = resources_->fence.get();
  if (Status status =
          check(device.functions().vkResetFences(device.get(), 1, &fence), "vkResetFences");
      !status) {
    return status;
  }
  Status status = device.submit(commands, fence);
  if (status) {
    status = device.wait(fence);
    if (!status && !is_finished(device, fence)) {
      abandon(std::move(resources_));
      status = make_error(ErrorCode::kDeviceLost, "{}", status.error().message);
    }
  }
  if (!status && status.error().code == ErrorCode::kDeviceLost) {
    death_ = status.error();
  }
  return status;
}

Status VulkanProgram::check_guards() const {
  if (guarded_.empty()) {
    return {};
  }
  for (const Buffer* read : {&resources_->inspection, &resources_->constants}) {
    if (Status status = read->invalidate(*resources_->context->device); !status) {
      return status;
    }
  }
  for (const GuardedBuffer& guarded : guarded_) {
    if (Status status = guarded.memory.check(guarded.contents); !status) {
      return status;
    }
  }
  return {};
}

Status VulkanProgram::run(std::span<const std::span<const std::byte>> inputs,
                          std::span<const std::span<std::byte>> outputs) {
  if (Status status = check_sizes(inputs, outputs); !status) {
    return status;
  }
  const std::lock_guard lock(mutex_);
  if (death_) {
    return tl::unexpected(*death_);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Border& input = inputs_[i];
    if (input.mapped != nullptr) {
      copy_to_device_layout(input.type, input.layout, inputs[i].data(), input.mapped);
    }
  }
  if (has_commands_) {
    const LogicalDevice& device = *resources_->context->device;
    for (const Buffer* written : {&resources_->border, &resources_->upload}) {
      if (Status status = written->flush(device); !status) {
        return status;
      }
    }
    if (Status status = execute(resources_->commands); !status) {
      return status;
    }
    for (const Buffer* read : {&resources_->border, &resources_->download}) {
      if (Status status = read->invalidate(device); !status) {
        return status;
      }
    }
    if (Status status = check_guards(); !status) {
      return status;
    }
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Border& output = outputs_[i];
    if (output.mapped != nullptr) {
      copy_from_device_layout(output.type, output.layout, output.mapped, outputs[i].data());
    } else {
      std::ranges::copy(output.constant, outputs[i].begin());
    }
  }
  return {};
}

}  // namespace lockstep::backend::vulkan
