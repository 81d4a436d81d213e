# Our matrix kernels (csrc/kernels) into every CPU variant, each compiled with its variant's flags, and
# into the library that all have in common the switch that turns them off for a load, and the place where
# a variant leaves its loops for measuring.
set(kernels "${CMAKE_CURRENT_SOURCE_DIR}/../../csrc/kernels")
target_sources(ggml-base PRIVATE ${kernels}/machine_loops.cpp ${kernels}/matrix_switch.cpp)
set(kernel_sources
    ${kernels}/activations.cpp
    ${kernels}/attention.cpp
    ${kernels}/buffer_type.cpp
    ${kernels}/formats.cpp
    ${kernels}/multiply.cpp
    ${kernels}/pack.cpp
    ${kernels}/variant_loops.cpp)
foreach(backend IN LISTS GGML_AVAILABLE_BACKENDS)
    if(backend MATCHES "^ggml-cpu")
        target_sources(${backend} PRIVATE ${kernel_sources})
        target_include_directories(${backend} PRIVATE ${kernels})
        if(JAN_SANITIZE STREQUAL "address")  # ours alone: upstream's own undefined behaviour is its own
            set_source_files_properties(${kernel_sources} TARGET_DIRECTORY ${backend}
                PROPERTIES COMPILE_OPTIONS "-fsanitize=undefined;-fno-sanitize-recover=undefined")
            target_link_options(${backend} PRIVATE -fsanitize=undefined)
        endif()
        # A property of the file in upstream's folder, so it holds for all variants at once.
        set_source_files_properties(${tree}/ggml/src/ggml-cpu/ggml-cpu.cpp TARGET_DIRECTORY ${backend}
            PROPERTIES COMPILE_OPTIONS "-include${kernels}/upstream_seam.h")
    endif()
endforeach()
