/*
 * layout.h - where things lie, on the host and in the guest alike
 *
 *   WINDOW + 0x1000   code: the instruction, and the place branches are aimed at
 *   DATA, 3 pages     memory operands and the stack
 *   READ_ONLY, 1 page may be read
 * Every other page of the window is absent, those on either side of DATA and READ_ONLY
 * above all: an operand can lie half in the dark. The selectors are those of 64-bit
 * Linux; two LDT entries cover DATA.
 */
#ifndef CV_TESTS_DIFF_LAYOUT_H
#define CV_TESTS_DIFF_LAYOUT_H

#define DIFF_WINDOW     0x20000000u
#define DIFF_CODE       (DIFF_WINDOW + 0x1000u)
#define DIFF_TAKEN      (DIFF_CODE + 100u)
#define DIFF_DATA       (DIFF_WINDOW + 0x10000u)
#define DIFF_DATA_END   (DIFF_DATA + 0x3000u)
#define DIFF_DATA_BYTES 0x3000u
#define DIFF_READ_ONLY  (DIFF_WINDOW + 0x15000u)
#define DIFF_WINDOW_END (DIFF_WINDOW + 0x20000u)

enum {
    DIFF_CS32 = 0x23,
    DIFF_DS = 0x2b,
    DIFF_CS64 = 0x33,
    DIFF_LDT32 = 0x07, /* base DATA, limit DATA_BYTES - 1, writable; 32-bit stack */
    DIFF_LDT16 = 0x0f, /* the same; 16-bit stack */
};

#endif
