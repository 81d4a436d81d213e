# The part of upstream's common/ that csrc/chat_bridge.cpp needs, as an archive that is linked into
# the extension whole or not at all: no names leave it, and what nobody calls is dropped.
# Upstream's own llama-common would bring a HTTP client, a downloader and a command line along.
set(common "${tree}/common")
add_library(jan_common STATIC EXCLUDE_FROM_ALL
    ${CMAKE_CURRENT_SOURCE_DIR}/common_log.cpp
    ${common}/common.cpp
    ${common}/json.cpp
    ${common}/json-schema.cpp
    ${common}/json-schema-to-grammar.cpp
    ${common}/trie.cpp
    ${common}/unicode.cpp)
target_include_directories(jan_common PRIVATE ${common} ${tree}/vendor)
target_link_libraries(jan_common PUBLIC llama)
set_target_properties(jan_common PROPERTIES
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
if(MSVC)
    target_compile_options(jan_common PRIVATE /Gy)
else()
    target_compile_options(jan_common PRIVATE -ffunction-sections -fdata-sections)
    # It prints its one warning to stderr, in the caller's words.
    set_source_files_properties(${common}/json-schema-to-grammar.cpp PROPERTIES
        COMPILE_OPTIONS "-include${CMAKE_CURRENT_SOURCE_DIR}/warning_to_log.h")
    if(APPLE)
        target_link_options(jan_common INTERFACE -Wl,-dead_strip)
    else()
        # common.cpp also opens models and samples, with what is not in this archive.
        target_link_options(jan_common INTERFACE -Wl,--gc-sections)
    endif()
endif()
set(JAN_COMMON_INCLUDES "${tree}" "${common}")
