# The part of upstream's common/ that csrc/chat_bridge.cpp needs, as an archive that is linked into
# the extension whole or not at all: no names leave it, and what nobody calls is dropped.
# Upstream's own llama-common would bring a HTTP client, a downloader and a command line along.
set(common "${tree}/common")
include(${common}/parsers/sources.cmake)  # LLAMA_CHAT_PARSERS_SOURCES
add_library(jan_common STATIC EXCLUDE_FROM_ALL
    common_log.cpp
    schema_seam.cpp
    template_budget.cpp
    ${LLAMA_CHAT_PARSERS_SOURCES}
    ${common}/chat.cpp
    ${common}/chat-auto-parser-generator.cpp
    ${common}/chat-auto-parser-helpers.cpp
    ${common}/chat-diff-analyzer.cpp
    ${common}/chat-peg-parser.cpp
    ${common}/common.cpp
    ${common}/jinja/caps.cpp
    ${common}/jinja/lexer.cpp
    ${common}/jinja/parser.cpp
    ${common}/jinja/runtime.cpp
    ${common}/jinja/string.cpp
    ${common}/jinja/value.cpp
    ${common}/json.cpp
    ${common}/json-schema.cpp
    ${common}/peg-parser.cpp
    ${common}/trie.cpp
    ${common}/unicode.cpp)
# schema_seam.cpp reads schemas in the place of upstream's own reader, and calls jan_csrc for it.
set_source_files_properties(${common}/json-schema.cpp PROPERTIES
    COMPILE_DEFINITIONS common_chat_schema_from_json=upstream_schema_from_json)
target_include_directories(jan_common PRIVATE ${common} ${tree}/vendor ${CMAKE_CURRENT_SOURCE_DIR}/../../csrc)
target_link_libraries(jan_common PUBLIC llama)
set_target_properties(jan_common PROPERTIES
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
if(MSVC)
    target_compile_options(jan_common PRIVATE /Gy)
else()
    target_compile_options(jan_common PRIVATE -ffunction-sections -fdata-sections
        -include${CMAKE_CURRENT_SOURCE_DIR}/template_budget.h
        -include${CMAKE_CURRENT_SOURCE_DIR}/local_time.h)
    set_source_files_properties(${common}/jinja/runtime.cpp ${common}/jinja/value.cpp PROPERTIES
        COMPILE_OPTIONS "-include${CMAKE_CURRENT_SOURCE_DIR}/jinja_hooks.h")
    if(APPLE)
        target_link_options(jan_common INTERFACE -Wl,-dead_strip)
    else()
        # common.cpp also opens models and samples, with what is not in this archive.
        target_link_options(jan_common INTERFACE -Wl,--gc-sections)
    endif()
endif()
set(JAN_COMMON_INCLUDES "${tree}" "${common}" "${CMAKE_CURRENT_SOURCE_DIR}")
