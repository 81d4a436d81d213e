# Which CPU backend is built, and for which instructions.
# Sets upstream's options. The function at the end is for after upstream was added.

if(JAN_CPU STREQUAL "all")
    set(GGML_NATIVE OFF)
    set(GGML_CPU_ALL_VARIANTS ON)
    file(STRINGS "${tree}/ggml/src/CMakeLists.txt" variant_lines
        REGEX "ggml_add_cpu_backend_variant\\([a-z]")
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
    # Upstream refuses -march=native for loadable backends, since their suitability check is
    # compiled from the named features. So we name the features that -march=native means here, or
    # those of the processor that JAN_CPU names, as compilers do.
    set(GGML_NATIVE OFF)
    set(nothing "${CMAKE_CURRENT_BINARY_DIR}/nothing.c")
    file(WRITE "${nothing}" "")
    execute_process(
        COMMAND ${CMAKE_C_COMPILER} -march=${JAN_CPU} -dM -E "${nothing}"
        OUTPUT_VARIABLE macros RESULT_VARIABLE result ERROR_VARIABLE said)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "JAN_CPU is '${JAN_CPU}': it must be all or, with gcc or clang, native or a "
            "processor that -march= knows. ${CMAKE_C_COMPILER} ended with ${result}: ${said}")
    endif()
    foreach(feature SSE42=SSE4_2 AVX F16C FMA AVX2 BMI2 AVX_VNNI=AVXVNNI AVX512=AVX512VL
                    AVX512_VBMI=AVX512VBMI AVX512_VNNI=AVX512VNNI AVX512_BF16=AVX512BF16
                    AMX_TILE AMX_INT8)
        string(REGEX REPLACE "=.*" "" option "${feature}")
        string(REGEX REPLACE ".*=" "" macro "${feature}")
        if(macros MATCHES "define __${macro}__ 1")
            set(GGML_${option} ON)
            string(APPEND native_features " ${option}")
        else()
            set(GGML_${option} OFF)
        endif()
    endforeach()
    set(variant_lines "ggml_add_cpu_backend_variant(native${native_features})")
elseif(JAN_CPU STREQUAL "native")
    set(GGML_NATIVE ON)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
    set(GGML_NATIVE OFF)
    set(GGML_CPU_ARM_ARCH "${JAN_CPU}")
    set(variant_lines "ggml_add_cpu_backend_variant(native)")
else()
    message(FATAL_ERROR "JAN_CPU is '${JAN_CPU}': it must be native or all here")
endif()

# Sets JAN_CPU_VARIANTS_JSON, {"cpu-haswell": ["AVX2", ...]}, to what was built, so that a running
# engine can say what a rejected variant would have needed. The single variant of a native build
# is called cpu-native there and libggml-cpu.so on disk.
function(describe_cpu_variants)
    foreach(line IN LISTS variant_lines)
        string(REGEX MATCH "\\(([a-z0-9_.]+) *([A-Z0-9_ ]*)\\)" call "${line}")
        set(variant "cpu-${CMAKE_MATCH_1}")
        string(REGEX REPLACE " +" "\", \"" features "${CMAKE_MATCH_2}")
        if(TARGET ggml-${variant} OR NOT JAN_CPU STREQUAL "all")
            list(APPEND entries "\"${variant}\": [\"${features}\"]")
        endif()
    endforeach()
    list(JOIN entries ", " entries)
    string(REPLACE "[\"\"]" "[]" entries "${entries}")
    set(JAN_CPU_VARIANTS_JSON "{${entries}}" PARENT_SCOPE)
endfunction()
