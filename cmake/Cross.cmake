# What cmake/cross-<arch>.cmake have in common: Debian's cross compiler for `cross_triple`, the libraries
# that tools/cross unpacked into the build directory, and qemu-user to run what was built.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${cross_processor})
set(CMAKE_C_COMPILER ${cross_triple}-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE ${cross_triple})

# The C library is the compiler's own; the sysroot has the others.
set(cross_sysroot ${CMAKE_CURRENT_LIST_DIR}/../build-${cross_arch}/sysroot)
cmake_path(NORMAL_PATH cross_sysroot)
set(cross_libraries ${cross_sysroot}/usr/lib/${cross_triple})
set(CMAKE_C_FLAGS_INIT "-isystem ${cross_sysroot}/usr/include")
set(cross_link "-L${cross_libraries} -Wl,-rpath-link,${cross_libraries}")
set(CMAKE_EXE_LINKER_FLAGS_INIT ${cross_link})
set(CMAKE_SHARED_LINKER_FLAGS_INIT ${cross_link})

set(CMAKE_FIND_ROOT_PATH ${cross_sysroot} /usr/${cross_triple})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${cross_libraries}/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${cross_sysroot})

set(CMAKE_CROSSCOMPILING_EMULATOR
    qemu-${cross_processor} -L /usr/${cross_triple} -E LD_LIBRARY_PATH=${cross_libraries})
