# Says in one line what the Vulkan backend lacks, before upstream fails in many.
find_package(Vulkan COMPONENTS glslc)
find_package(SPIRV-Headers CONFIG QUIET)
set(vulkan_needs "JAN_VULKAN needs Vulkan headers >= 1.3.239, the loader, glslc and SPIRV-Headers")
set(vulkan_hint "on Debian and Ubuntu: apt-get install libvulkan-dev glslc spirv-headers")
if(NOT Vulkan_FOUND OR NOT Vulkan_glslc_FOUND OR NOT SPIRV-Headers_FOUND)
    message(FATAL_ERROR "${vulkan_needs}; found Vulkan: ${Vulkan_FOUND} ${Vulkan_VERSION}, "
        "glslc: ${Vulkan_glslc_FOUND}, SPIRV-Headers: ${SPIRV-Headers_FOUND} (${vulkan_hint})")
elseif(Vulkan_VERSION VERSION_LESS 1.3.239)
    message(FATAL_ERROR "${vulkan_needs}; found ${Vulkan_VERSION}")
endif()
