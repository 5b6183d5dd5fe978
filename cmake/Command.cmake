# The command line: a customer of the public header.
#
# The tables are in the objects; a second program, which is not installed, writes from them what is
# installed beside the command: manual pages and the completions of shells.

if(CMAKE_C_BYTE_ORDER STREQUAL "BIG_ENDIAN")
    message(FATAL_ERROR "The command is for little-endian machines: configure with -DEDB_COMMAND=OFF to build the library alone.")
endif()

file(GLOB cli_sources CONFIGURE_DEPENDS cli/*.c)
set(generate_sources ${cli_sources})
list(FILTER generate_sources INCLUDE REGEX "/cli/generate_[a-z]*\\.c$")
list(REMOVE_ITEM cli_sources ${generate_sources} ${PROJECT_SOURCE_DIR}/cli/main.c)
add_library(edb_cli OBJECT ${cli_sources})
add_executable(embedcache_cli cli/main.c)
add_executable(embedcache_generate ${generate_sources})
set_target_properties(embedcache_cli PROPERTIES OUTPUT_NAME embedcache)
target_link_libraries(edb_cli PUBLIC embedcache::static PkgConfig::jansson PkgConfig::curl m)
foreach(target edb_cli embedcache_cli embedcache_generate)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_compile_options(${target} PRIVATE ${EDB_CUSTOMER_WARNINGS})
endforeach()
target_link_libraries(embedcache_cli PRIVATE edb_cli)
target_link_libraries(embedcache_generate PRIVATE edb_cli)

set(EDB_GENERATED ${PROJECT_BINARY_DIR}/generated)
file(GLOB completion_scripts CONFIGURE_DEPENDS cli/completion/*)
add_custom_command(
    OUTPUT ${EDB_GENERATED}/man/embedcache.1
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${EDB_GENERATED}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${EDB_GENERATED}/man ${EDB_GENERATED}/completion
    COMMAND embedcache_generate ${EDB_GENERATED} ${PROJECT_SOURCE_DIR}/cli/completion
    DEPENDS embedcache_generate ${completion_scripts}
    COMMENT "Writing manual pages and completions"
    VERBATIM)
add_custom_target(generated ALL DEPENDS ${EDB_GENERATED}/man/embedcache.1)
