# Benchmarks: every bench/bench_*.c is a program; the other files of bench/ are shared by all of them.
# They see EmbedCache through its public header, as any other customer, and the peers beside it.

require_library(lmdb lmdb liblmdb-dev)
require_library(sqlite3 sqlite3 libsqlite3-dev)

file(GLOB bench_programs CONFIGURE_DEPENDS bench/bench_*.c)
file(GLOB bench_sources CONFIGURE_DEPENDS bench/*.c)
list(REMOVE_ITEM bench_sources ${bench_programs})
foreach(source IN LISTS bench_programs)
    cmake_path(GET source STEM name)
    add_executable(${name} ${source} ${bench_sources})
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    target_compile_options(${name} PRIVATE ${EDB_CUSTOMER_WARNINGS})
    target_link_libraries(${name} PRIVATE
        embedcache::static PkgConfig::jansson PkgConfig::lmdb PkgConfig::sqlite3 Threads::Threads m)
endforeach()
