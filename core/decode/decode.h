/*
 * decode.h - bytes to struct cv_insn, by table
 *
 * The table is an allow-list: what the CPU model of docs/decisions/0001 does not have is
 * refused, so that a new host instruction can never run in a guest by accident. General
 * registers only; no allocation; a pure function. Tests hold it against Zydis.
 * Spec:    Intel SDM volume 2 appendix A "Opcode Map"
 * Thread:  any
 */
#ifndef CV_CORE_DECODE_DECODE_H
#define CV_CORE_DECODE_DECODE_H

#include "core/decode/insn.h"

enum cv_decode_status {
    CV_DECODE_OK,
    CV_DECODE_MORE, /* valid so far, but longer than `avail` bytes: fetch the next page */
    CV_DECODE_UD,   /* not an instruction of this CPU model; insn->len counts the bytes looked at */
    CV_DECODE_LONG, /* more than 15 bytes: #GP(0) */
};

/* Decodes one instruction from p[0..avail). mode is 16, 32 or 64. Checks encoding rules that
 * need no CPU state (LOCK on a non-lockable or register form: #UD; VEX.L, vvvv, mod
 * restrictions). */
enum cv_decode_status cv_decode(const uint8_t *p, size_t avail, unsigned mode,
                                struct cv_insn *insn);

/* The instruction's name, for logs and tests ("add"). */
const char *cv_op_name(unsigned op);

#endif
