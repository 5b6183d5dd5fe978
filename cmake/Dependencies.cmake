# The libraries EmbedCache stands on, each as an imported target PkgConfig::<name>. Missing ones stop
# the configuration with one sentence that says what to install.

find_package(PkgConfig QUIET)
if(NOT PKG_CONFIG_FOUND)
    message(FATAL_ERROR "pkg-config is missing: install the package pkg-config, or run tools/setup.")
endif()

# Checks for the pkg-config module `module`, which Debian ships in `package`; makes PkgConfig::<name>.
macro(require_library name module package)
    pkg_check_modules(${name} QUIET IMPORTED_TARGET ${module})
    if(NOT ${name}_FOUND)
        string(REGEX REPLACE ">=.*" "" module_name ${module})
        list(APPEND missing_modules ${module_name})
        list(APPEND missing_packages ${package})
    endif()
endmacro()

require_library(xxhash libxxhash>=0.8.0 libxxhash-dev)
require_library(jansson jansson>=2.12 libjansson-dev)
require_library(sodium libsodium>=1.0.16 libsodium-dev)
# Of the command alone: `embed` and `search` ask embedding servers. The library is never linked to it.
if(EDB_COMMAND)
    require_library(curl libcurl>=7.68 libcurl4-openssl-dev)
endif()
if(EDB_TESTS)
    require_library(cmocka cmocka libcmocka-dev)
endif()
if(missing_modules)
    list(JOIN missing_modules ", " missing_modules)
    list(JOIN missing_packages " " missing_packages)
    message(FATAL_ERROR "Libraries are missing or too old (${missing_modules}): run tools/setup, or install the Debian packages ${missing_packages}.")
endif()
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
