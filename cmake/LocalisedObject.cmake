# localised_object(<output.o> <static library>): joins the objects of a library into one, in which only
# edb_* is global. A static library made of it cannot clash with names of the program it is linked into.

function(localised_object output library)
    if(NOT CMAKE_OBJCOPY OR NOT CMAKE_LINKER)
        message(FATAL_ERROR "ld or objcopy is missing: install the Debian package binutils, or run tools/setup.")
    endif()
    add_custom_command(
        OUTPUT ${output}
        COMMAND ${CMAKE_LINKER} -r -o ${output} --whole-archive $<TARGET_FILE:${library}>
        COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=edb_* ${output}
        DEPENDS ${library}
        COMMENT "Joining the objects and hiding their internal names"
        VERBATIM)
    set_source_files_properties(${output} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
endfunction()
