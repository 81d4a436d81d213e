# What keeps upstream's tokenisers from doing the same again and again: see the two headers.
if(MSVC)
    set(first "/FI")
else()
    set(first "-include")
endif()
set_source_files_properties(${tree}/src/llama-vocab.cpp TARGET_DIRECTORY llama PROPERTIES
    COMPILE_OPTIONS "${first}${CMAKE_CURRENT_SOURCE_DIR}/vocab_hooks.h")
set_source_files_properties(${tree}/src/unicode.cpp TARGET_DIRECTORY llama PROPERTIES
    COMPILE_OPTIONS "${first}${CMAKE_CURRENT_SOURCE_DIR}/regex_hooks.h")
