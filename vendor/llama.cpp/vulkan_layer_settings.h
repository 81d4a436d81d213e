// VK_EXT_layer_settings for Vulkan headers from before 1.3.272, such as Debian 12's. It is the
// one thing upstream's backend uses, without asking, that those lack. Included in front of each
// of its C++ files; with newer headers this file is empty.
#pragma once

#include <vulkan/vulkan_core.h>

#if VK_HEADER_VERSION < 272

#    include <cstdint>
#    include <vector>

namespace vk {

enum class LayerSettingTypeEXT : int32_t { eBool32 = 0 };

struct LayerSettingEXT {
    const char * pLayerName;
    const char * pSettingName;
    LayerSettingTypeEXT type;
    uint32_t valueCount;
    const void * pValues;
};

// Laid out as VkLayerSettingsCreateInfoEXT: it goes into a pNext chain.
struct LayerSettingsCreateInfoEXT {
    explicit LayerSettingsCreateInfoEXT(const std::vector<LayerSettingEXT> & settings)
        : settingCount(static_cast<uint32_t>(settings.size())), pSettings(settings.data()) {}

    VkStructureType sType = static_cast<VkStructureType>(1000496000);
    const void * pNext = nullptr;
    uint32_t settingCount;
    const LayerSettingEXT * pSettings;
};

}  // namespace vk

#endif
