# What `make install` puts where: header, both libraries, the command with its manual pages and
# completions, documents, and the descriptions that pkg-config and CMake's find_package read. All paths in them are
# relative: the tree may be moved.

include(CMakePackageConfigHelpers)

install(FILES include/embedcache.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS embedcache_shared EXPORT shared_targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS embedcache_static EXPORT static_targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(EDB_COMMAND)
    install(TARGETS embedcache_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(DIRECTORY ${EDB_GENERATED}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES ${EDB_GENERATED}/completion/embedcache.bash
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME embedcache)
    install(FILES ${EDB_GENERATED}/completion/_embedcache
            DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    install(FILES ${EDB_GENERATED}/completion/embedcache.fish
            DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

install(FILES README.md docs/format.md docs/limits.md docs/performance.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/guide DESTINATION ${CMAKE_INSTALL_DOCDIR})

# pkg-config: from <libdir>/pkgconfig back to the prefix.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    message(FATAL_ERROR "CMAKE_INSTALL_LIBDIR and CMAKE_INSTALL_INCLUDEDIR are relative to the prefix here.")
endif()
file(RELATIVE_PATH EDB_PREFIX_FROM_PKGCONFIG "/p/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/p")
configure_file(cmake/embedcache.pc.in embedcache.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/embedcache.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# CMake: the shared library needs nothing to be linked; the static one brings its dependencies along.
set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/embedcache)
foreach(kind shared static)
    install(EXPORT ${kind}_targets FILE embedcache-${kind}.cmake
            NAMESPACE embedcache:: DESTINATION ${package_directory})
endforeach()
configure_package_config_file(cmake/embedcache-config.cmake.in embedcache-config.cmake
                              INSTALL_DESTINATION ${package_directory})
write_basic_package_version_file(embedcache-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/embedcache-config.cmake
              ${PROJECT_BINARY_DIR}/embedcache-config-version.cmake
        DESTINATION ${package_directory})
