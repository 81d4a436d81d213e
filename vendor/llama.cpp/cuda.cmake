# Completes a CUDA toolkit that is only the compiler.
# cuBLAS may come from its PyPI package, which is also what provides it at run time; without
# the driver's link stub the backend is built without virtual memory management, and then
# does not need the driver to be opened.
set(GGML_CUDA_NCCL OFF)
find_package(CUDAToolkit REQUIRED)

if(NOT TARGET CUDA::cublas)
    execute_process(
        COMMAND ${Python_EXECUTABLE} -c "import sysconfig; print(sysconfig.get_path('platlib'))"
        OUTPUT_VARIABLE site_packages OUTPUT_STRIP_TRAILING_WHITESPACE)
    set(cublas_root "${site_packages}/nvidia/cu${CUDAToolkit_VERSION_MAJOR}")
    file(GLOB cublas "${cublas_root}/lib/libcublas.so.*")
    file(GLOB cublas_lt "${cublas_root}/lib/libcublasLt.so.*")
    if(NOT cublas OR NOT cublas_lt)
        message(FATAL_ERROR "JAN_CUDA: CUDA ${CUDAToolkit_VERSION} at ${CUDAToolkit_BIN_DIR} has no "
            "cuBLAS: install the toolkit's own, or pip install 'nvidia-cublas==${CUDAToolkit_VERSION_MAJOR}.*'")
    endif()
    add_library(CUDA::cublas SHARED IMPORTED GLOBAL)
    set_target_properties(CUDA::cublas PROPERTIES
        IMPORTED_LOCATION "${cublas}"
        INTERFACE_INCLUDE_DIRECTORIES "${cublas_root}/include"
        INTERFACE_LINK_LIBRARIES "${cublas_lt}")
    message(STATUS "cuBLAS: ${cublas}")
endif()

if(NOT TARGET CUDA::cuda_driver)
    set(GGML_CUDA_NO_VMM ON)
    message(STATUS "CUDA: no libcuda stub in this toolkit, building without virtual memory management")
endif()
# Beside us in site-packages when cuBLAS was installed from PyPI.
set(backend_rpath ":${JAN_ORIGIN}/../../nvidia/cu${CUDAToolkit_VERSION_MAJOR}/lib")
