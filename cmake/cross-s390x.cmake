# Toolchain of tools/cross s390x: 64 bits, big-endian.
set(cross_arch s390x)
set(cross_processor s390x)
set(cross_triple s390x-linux-gnu)
include(${CMAKE_CURRENT_LIST_DIR}/Cross.cmake)
