#include "debugger/gdb/target.h"

#include <string.h>

/* The assembler finds the file from the root of the tree, where every compilation runs. */
__asm__(".pushsection .rodata\n"
        ".globl cv_gdb_x86_64_xml\n"
        ".hidden cv_gdb_x86_64_xml\n"
        "cv_gdb_x86_64_xml:\n"
        ".incbin \"debugger/gdb/x86-64.xml\"\n"
        ".globl cv_gdb_x86_64_xml_end\n"
        ".hidden cv_gdb_x86_64_xml_end\n"
        "cv_gdb_x86_64_xml_end:\n"
        ".byte 0\n"
        ".popsection\n");

extern const char cv_gdb_x86_64_xml[] __attribute__((visibility("hidden")));
extern const char cv_gdb_x86_64_xml_end[] __attribute__((visibility("hidden")));

static const char MEMORY_MAP[] =
    "<?xml version=\"1.0\"?>\n"
    "<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\"\n"
    " \"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n"
    "<memory-map>\n"
    "<memory type=\"ram\" start=\"0x0\" length=\"0x8000000000000000\"/>\n"
    "<memory type=\"ram\" start=\"0x8000000000000000\" length=\"0x8000000000000000\"/>\n"
    "</memory-map>\n";

const char *cv_gdb_target_xml(size_t *len)
{
    *len = (size_t)(cv_gdb_x86_64_xml_end - cv_gdb_x86_64_xml);
    return cv_gdb_x86_64_xml;
}

const char *cv_gdb_target_memory_map(size_t *len)
{
    *len = strlen(MEMORY_MAP);
    return MEMORY_MAP;
}
