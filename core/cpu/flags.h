/*
 * flags.h - the values this CPU model gives to flags the manuals leave undefined
 *
 * One definition, used by the interpreter (which computes it) and the translator (which
 * must produce it wherever flags can be observed):
 *   AND OR XOR TEST ............ AF = 0
 *   SHL SHR SAR (count != 0) ... AF = 0; OF = 0 unless the masked count is 1;
 *                                CF for a count past the operand size = last bit shifted
 *                                out of an operand extended without end (SHL, SHR: 0;
 *                                SAR: sign)
 *   SHLD SHRD (count != 0) ..... AF = 0; OF = 0 unless count is 1; 16-bit count > 16: the
 *                                source and destination act as one repeating 32-bit string
 *                                (dest:src:dest), flags from that result
 *   ROL ROR RCL RCR ............ OF = 0 unless the masked count (before modulo for RCx) is 1
 *   MUL IMUL (all forms) ....... SF = ZF = AF = PF = 0
 *   DIV IDIV ................... all six = 0
 *   BSF BSR .................... CF OF SF AF PF = 0; source 0: ZF = 1, destination unchanged
 *                                in all 64 bits
 *   TZCNT LZCNT ................ OF SF AF PF = 0
 *   BT BTS BTR BTC ............. all but CF unchanged
 *   BLSR BLSI BLSMSK ANDN BZHI . AF PF = 0
 *   BEXTR ...................... SF AF PF = 0
 *   BSWAP r16 .................. result 0
 * Thread:  any
 */
#ifndef CV_CORE_CPU_FLAGS_H
#define CV_CORE_CPU_FLAGS_H
#include "core/cpu/regs.h"
#endif
