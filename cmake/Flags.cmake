# Compiler flags of all targets: warnings, sanitizers. The processor baseline is the compiler's (plain
# x86-64, armv8-a); faster kernels carry their own target attributes and are chosen at run time.

# What the library holds itself to, and the lighter set for programs that use it.
set(EDB_CUSTOMER_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wvla)
set(EDB_LIBRARY_WARNINGS ${EDB_CUSTOMER_WARNINGS} -Wmissing-prototypes -Wconversion -Wsign-conversion -Wundef)

# -O2 in every optimised build. Assertions guard against our own bugs, cost little, and stay on in
# RelWithDebInfo; Release takes them out.
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

if(EDB_SANITIZE STREQUAL "address")
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
elseif(EDB_SANITIZE STREQUAL "thread")
    add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
    add_link_options(-fsanitize=thread)
elseif(EDB_SANITIZE STREQUAL "fuzz")
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "EDB_SANITIZE=fuzz needs libFuzzer: configure with -DCMAKE_C_COMPILER=clang, or run make fuzz.")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
elseif(EDB_SANITIZE)
    message(FATAL_ERROR "EDB_SANITIZE is '${EDB_SANITIZE}': it may be address, thread, fuzz or empty.")
endif()
