# Toolchain of tools/cross arm64: 64 bits, little-endian.
set(cross_arch arm64)
set(cross_processor aarch64)
set(cross_triple aarch64-linux-gnu)
include(${CMAKE_CURRENT_LIST_DIR}/Cross.cmake)
