# The Python package: one extension module of Cython over the public header, with the static library in
# it. Built by `pip install .` (pyproject.toml), which asks for EDB_PYTHON and nothing else.

find_package(Python 3.10 QUIET COMPONENTS Interpreter Development.Module NumPy)
if(NOT Python_FOUND)
    message(FATAL_ERROR "The headers of Python 3.10 or newer, or NumPy, are missing: install the Debian package python3-dev, or run tools/setup.")
endif()
execute_process(COMMAND ${Python_EXECUTABLE} -m cython --version RESULT_VARIABLE no_cython OUTPUT_QUIET ERROR_QUIET)
if(no_cython)
    message(FATAL_ERROR "Cython is missing: build the package by `pip install .`, which fetches it.")
endif()

file(GLOB native_parts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/python/embedcache/*.p[yx][xdi])
set(native_source ${PROJECT_SOURCE_DIR}/python/embedcache/_native.pyx)
set(native_c ${PROJECT_BINARY_DIR}/python/_native.c)
add_custom_command(
    OUTPUT ${native_c}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/python
    COMMAND ${Python_EXECUTABLE} -m cython -3 -Werror -I ${PROJECT_SOURCE_DIR}/python
            --module-name embedcache._native ${native_source} -o ${native_c}
    DEPENDS ${native_parts}
    COMMENT "Translating _native.pyx"
    VERBATIM)

python_add_library(python_native MODULE WITH_SOABI ${native_c})
set_target_properties(python_native PROPERTIES OUTPUT_NAME _native PREFIX "")
target_link_libraries(python_native PRIVATE embedcache::static Python::NumPy)
target_compile_definitions(python_native PRIVATE NPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION)
install(TARGETS python_native LIBRARY DESTINATION embedcache)

# A wheel carries these libraries, and so their terms, as the system has them.
foreach(package libxxhash-dev libjansson-dev libsodium-dev)
    if(EXISTS /usr/share/doc/${package}/copyright)
        install(FILES /usr/share/doc/${package}/copyright DESTINATION embedcache/licenses RENAME ${package}.txt)
    endif()
endforeach()
