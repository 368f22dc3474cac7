/*
 * regnames.h - numbers of the general and segment registers, as instructions encode them
 * Spec:    Intel SDM volume 2 section 3.1.1.1 "Opcode Column in the Instruction Summary Table"
 * Thread:  any; constants
 */
#ifndef CV_CORE_BASE_REGNAMES_H
#define CV_CORE_BASE_REGNAMES_H

enum { CV_RAX, CV_RCX, CV_RDX, CV_RBX, CV_RSP, CV_RBP, CV_RSI, CV_RDI, CV_R8, CV_R9,
       CV_R10, CV_R11, CV_R12, CV_R13, CV_R14, CV_R15 };
enum { CV_ES, CV_CS, CV_SS, CV_DS, CV_FS, CV_GS, CV_SEG_COUNT };

#endif
