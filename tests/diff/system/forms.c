#include "forms.h"

/* clang-format off */
#define F(n, o, e, d, a, i, b, u, k) {n, o, e, d, a, i, b, u, k}
#define ALU(n, o, acc, lk, u)                                                                       \
    F(n " Eb,Gb", o, M | BYTE | (lk), 0, acc, I0, 1, u, K_PLAIN), F(n " Ev,Gv", o + 1, M | (lk), 0, acc, I0, 0, u, K_PLAIN), \
    F(n " Gb,Eb", o + 2, M | BYTE, 0, R, I0, 1, u, K_PLAIN), F(n " Gv,Ev", o + 3, M, 0, R, I0, 0, u, K_MOVSP),   \
    F(n " AL,Ib", o + 4, 0, 0, NONE, IB, 0, u, K_PLAIN), F(n " eAX,Iz", o + 5, 0, 0, NONE, IZ, 0, u, K_PLAIN)
#define GRP1(n, d, acc, lk, u)                                                                      \
    F(n " Eb,Ib", 0x80, G | BYTE | (lk), d, acc, IB, 1, u, K_PLAIN), F(n " Ev,Iz", 0x81, G | (lk), d, acc, IZ, 0, u, K_PLAIN), \
    F(n " Ev,Ib", 0x83, G | (lk), d, acc, IB, 0, u, K_PLAIN)
#define GRP2(n, d, u1, ui, uc)                                                                      \
    F(n " Eb,Ib", 0xc0, G | BYTE, d, RW, IB, 1, ui, K_SHIFT), F(n " Ev,Ib", 0xc1, G, d, RW, IB, 0, ui, K_SHIFT), \
    F(n " Eb,1", 0xd0, G | BYTE, d, RW, I0, 1, u1, K_PLAIN), F(n " Ev,1", 0xd1, G, d, RW, I0, 0, u1, K_PLAIN),   \
    F(n " Eb,CL", 0xd2, G | BYTE, d, RW, I0, 1, uc, K_SHIFT), F(n " Ev,CL", 0xd3, G, d, RW, I0, 0, uc, K_SHIFT)
#define JCC(n, c) F("J" n " rel8", 0x70 + c, 0, 0, NONE, REL8, 0, U0, K_JCC), F("J" n " relz", 0x80 + c, TWO, 0, NONE, RELZ, 0, U0, K_JCC)
#define CC(n, c) JCC(n, c), F("SET" n, 0x90 + c, M | TWO | BYTE, 0, W, I0, 1, U0, K_PLAIN), \
    F("CMOV" n, 0x40 + c, M | TWO, 0, R, I0, 0, U0, K_MOVSP)
#define ON_REG(n, o, u, k) F(n " eAX", o, 0, 0, NONE, I0, 0, u, k), F(n " eCX", o + 1, 0, 0, NONE, I0, 0, u, k), \
    F(n " eDX", o + 2, 0, 0, NONE, I0, 0, u, k), F(n " eBX", o + 3, 0, 0, NONE, I0, 0, u, k), F(n " eSP", o + 4, 0, 0, NONE, I0, 0, u, K_POPSP), \
    F(n " eBP", o + 5, 0, 0, NONE, I0, 0, u, k), F(n " eSI", o + 6, 0, 0, NONE, I0, 0, u, k), F(n " eDI", o + 7, 0, 0, NONE, I0, 0, u, k)
#define ONE(n, o, u, k) F(n, o, 0, 0, NONE, I0, 0, u, k)
#define STR(n, o, k) F(n "B", o, BYTE, 0, NONE, I0, 1, U0, k), F(n "W/D", o + 1, 0, 0, NONE, I0, 0, U0, k)

const struct form forms[] = {
    ALU("ADD", 0x00, RW, LOCKS, U0), ALU("OR", 0x08, RW, LOCKS, U_LOGIC), ALU("ADC", 0x10, RW, LOCKS, U0),
    ALU("SBB", 0x18, RW, LOCKS, U0), ALU("AND", 0x20, RW, LOCKS, U_LOGIC), ALU("SUB", 0x28, RW, LOCKS, U0),
    ALU("XOR", 0x30, RW, LOCKS, U_LOGIC), ALU("CMP", 0x38, R, 0, U0),
    GRP1("ADD", 0, RW, LOCKS, U0), GRP1("OR", 1, RW, LOCKS, U_LOGIC), GRP1("ADC", 2, RW, LOCKS, U0), GRP1("SBB", 3, RW, LOCKS, U0),
    GRP1("AND", 4, RW, LOCKS, U_LOGIC), GRP1("SUB", 5, RW, LOCKS, U0), GRP1("XOR", 6, RW, LOCKS, U_LOGIC), GRP1("CMP", 7, R, 0, U0),
    F("ADD Eb,Ib (82)", 0x82, G | BYTE | LOCKS, 0, RW, IB, 1, U0, K_PLAIN), F("CMP Eb,Ib (82)", 0x82, G | BYTE, 7, R, IB, 1, U0, K_PLAIN),
    GRP2("ROL", 0, U0, U_ROT_I, U_ROT_CL), GRP2("ROR", 1, U0, U_ROT_I, U_ROT_CL), GRP2("RCL", 2, U0, U_ROT_I, U_ROT_CL),
    GRP2("RCR", 3, U0, U_ROT_I, U_ROT_CL), GRP2("SHL", 4, U_SHIFT_1, U_SHIFT_I, U_SHIFT_CL),
    GRP2("SHR", 5, U_SHIFT_1, U_SHIFT_I, U_SHIFT_CL), GRP2("SAL", 6, U_SHIFT_1, U_SHIFT_I, U_SHIFT_CL),
    GRP2("SAR", 7, U_SHIFT_1, U_SHIFT_I, U_SHIFT_CL),
    F("TEST Eb,Gb", 0x84, M | BYTE, 0, R, I0, 1, U_LOGIC, K_PLAIN), F("TEST Ev,Gv", 0x85, M, 0, R, I0, 0, U_LOGIC, K_PLAIN),
    F("XCHG Eb,Gb", 0x86, M | BYTE | LOCKS, 0, RW, I0, 1, U0, K_PLAIN), F("XCHG Ev,Gv", 0x87, M | LOCKS, 0, RW, I0, 0, U0, K_MOVSP),
    F("MOV Eb,Gb", 0x88, M | BYTE, 0, W, I0, 1, U0, K_PLAIN), F("MOV Ev,Gv", 0x89, M, 0, W, I0, 0, U0, K_PLAIN),
    F("MOV Gb,Eb", 0x8a, M | BYTE, 0, R, I0, 1, U0, K_PLAIN), F("MOV Gv,Ev", 0x8b, M, 0, R, I0, 0, U0, K_MOVSP),
    F("MOV Ew,Sw", 0x8c, G, 0, W, I0, 2, U0, K_PLAIN), F("MOV Ew,CS", 0x8c, G, 1, W, I0, 2, U0, K_PLAIN),
    F("MOV Ew,SS", 0x8c, G, 2, W, I0, 2, U0, K_PLAIN), F("MOV Ew,DS", 0x8c, G, 3, W, I0, 2, U0, K_PLAIN),
    F("MOV Ew,FS", 0x8c, G, 4, W, I0, 2, U0, K_PLAIN), F("MOV Ew,GS", 0x8c, G, 5, W, I0, 2, U0, K_PLAIN),
    F("MOV Ew,S6", 0x8c, G, 6, NONE, I0, 2, U0, K_PLAIN), F("MOV S1,Ew", 0x8e, G, 1, NONE, I0, 2, U0, K_PLAIN),
    F("LEA", 0x8d, M | MEM, 0, NONE, I0, 0, U0, K_MOVSP), F("LEA reg", 0x8d, M, 0, NONE, I0, 0, U0, K_MOVSP),
    F("MOV ES,Ew", 0x8e, G | V86, 0, R, I0, 2, U0, K_SEG_LOAD), F("MOV SS,Ew", 0x8e, G | V86, 2, R, I0, 2, U0, K_SEG_LOAD),
    F("MOV DS,Ew", 0x8e, G | V86, 3, R, I0, 2, U0, K_SEG_LOAD), F("MOV FS,Ew", 0x8e, G | V86, 4, R, I0, 2, U0, K_SEG_LOAD),
    F("MOV GS,Ew", 0x8e, G | V86, 5, R, I0, 2, U0, K_SEG_LOAD), F("POP Ev", 0x8f, G, 0, W, I0, 0, U0, K_POPRM),
    ONE("NOP/PAUSE", 0x90, U0, K_PLAIN), ON_REG("XCHG", 0x90, U0, K_PLAIN), ONE("CBW", 0x98, U0, K_PLAIN), ONE("CWD", 0x99, U0, K_PLAIN),
    ONE("SAHF", 0x9e, U0, K_PLAIN), ONE("LAHF", 0x9f, U0, K_PLAIN),
    F("MOV AL,Ob", 0xa0, BYTE, 0, R, MOFFS, 1, U0, K_PLAIN), F("MOV eAX,Ov", 0xa1, 0, 0, R, MOFFS, 0, U0, K_PLAIN),
    F("MOV Ob,AL", 0xa2, BYTE, 0, W, MOFFS, 1, U0, K_PLAIN), F("MOV Ov,eAX", 0xa3, 0, 0, W, MOFFS, 0, U0, K_PLAIN),
    STR("MOVS", 0xa4, K_STRING_SD), STR("CMPS", 0xa6, K_STRING_SD), F("TEST AL,Ib", 0xa8, 0, 0, NONE, IB, 0, U_LOGIC, K_PLAIN),
    F("TEST eAX,Iz", 0xa9, 0, 0, NONE, IZ, 0, U_LOGIC, K_PLAIN), STR("STOS", 0xaa, K_STRING_D), STR("LODS", 0xac, K_STRING_S),
    STR("SCAS", 0xae, K_STRING_D), F("MOV r8,Ib", 0xb3, 0, 0, NONE, IB, 0, U0, K_PLAIN), F("MOV rv,Iz", 0xbe, 0, 0, NONE, IZ, 0, U0, K_PLAIN),
    F("MOV AH,Ib", 0xb4, 0, 0, NONE, IB, 0, U0, K_PLAIN), F("MOV Eb,Ib", 0xc6, G | BYTE, 0, W, IB, 1, U0, K_PLAIN),
    F("MOV Ev,Iz", 0xc7, G, 0, W, IZ, 0, U0, K_PLAIN), ON_REG("INC", 0x40, U0, K_PLAIN), ON_REG("DEC", 0x48, U0, K_PLAIN),
    F("INC Eb", 0xfe, G | BYTE | LOCKS, 0, RW, I0, 1, U0, K_PLAIN), F("DEC Eb", 0xfe, G | BYTE | LOCKS, 1, RW, I0, 1, U0, K_PLAIN),
    F("INC Ev", 0xff, G | LOCKS, 0, RW, I0, 0, U0, K_PLAIN), F("DEC Ev", 0xff, G | LOCKS, 1, RW, I0, 0, U0, K_PLAIN),
    F("NOT Eb", 0xf6, G | BYTE | LOCKS, 2, RW, I0, 1, U0, K_PLAIN), F("NOT Ev", 0xf7, G | LOCKS, 2, RW, I0, 0, U0, K_PLAIN),
    F("NEG Eb", 0xf6, G | BYTE | LOCKS, 3, RW, I0, 1, U0, K_PLAIN), F("NEG Ev", 0xf7, G | LOCKS, 3, RW, I0, 0, U0, K_PLAIN),
    F("TEST Eb,Ib", 0xf6, G | BYTE, 0, R, IB, 1, U_LOGIC, K_PLAIN), F("TEST Ev,Iz", 0xf7, G, 0, R, IZ, 0, U_LOGIC, K_PLAIN),
    F("MUL Eb", 0xf6, G | BYTE, 4, R, I0, 1, U_MUL, K_PLAIN), F("MUL Ev", 0xf7, G, 4, R, I0, 0, U_MUL, K_PLAIN),
    F("IMUL Eb", 0xf6, G | BYTE, 5, R, I0, 1, U_MUL, K_PLAIN), F("IMUL Ev", 0xf7, G, 5, R, I0, 0, U_MUL, K_PLAIN),
    F("DIV Eb", 0xf6, G | BYTE, 6, R, I0, 1, U_DIV, K_DIV), F("DIV Ev", 0xf7, G, 6, R, I0, 0, U_DIV, K_DIV),
    F("IDIV Eb", 0xf6, G | BYTE, 7, R, I0, 1, U_DIV, K_DIV), F("IDIV Ev", 0xf7, G, 7, R, I0, 0, U_DIV, K_DIV),
    F("IMUL Gv,Ev", 0xaf, M | TWO, 0, R, I0, 0, U_MUL, K_MOVSP), F("IMUL Gv,Ev,Iz", 0x69, M, 0, R, IZ, 0, U_MUL, K_MOVSP),
    F("IMUL Gv,Ev,Ib", 0x6b, M, 0, R, IB, 0, U_MUL, K_MOVSP),
    ONE("DAA", 0x27, U_DAA, K_PLAIN), ONE("DAS", 0x2f, U_DAA, K_PLAIN), ONE("AAA", 0x37, U_AAA, K_PLAIN), ONE("AAS", 0x3f, U_AAA, K_PLAIN),
    F("AAM", 0xd4, 0, 0, NONE, IB, 0, U_AAM, K_PLAIN), F("AAD", 0xd5, 0, 0, NONE, IB, 0, U_AAM, K_PLAIN),
    ONE("SALC", 0xd6, U0, K_PLAIN), ONE("XLAT", 0xd7, U0, K_XLAT),
    ONE("CMC", 0xf5, U0, K_PLAIN), ONE("CLC", 0xf8, U0, K_PLAIN), ONE("STC", 0xf9, U0, K_PLAIN), ONE("CLD", 0xfc, U0, K_PLAIN),
    ONE("STD", 0xfd, U0, K_PLAIN), ONE("CLI", 0xfa, U0, K_IOPL), ONE("STI", 0xfb, U0, K_IOPL),
    CC("O", 0), CC("NO", 1), CC("B", 2), CC("AE", 3), CC("E", 4), CC("NE", 5), CC("BE", 6), CC("A", 7), CC("S", 8), CC("NS", 9),
    CC("P", 10), CC("NP", 11), CC("L", 12), CC("GE", 13), CC("LE", 14), CC("G", 15),
    F("LOOPNE", 0xe0, 0, 0, NONE, REL8, 0, U0, K_LOOP), F("LOOPE", 0xe1, 0, 0, NONE, REL8, 0, U0, K_LOOP),
    F("LOOP", 0xe2, 0, 0, NONE, REL8, 0, U0, K_LOOP), F("JCXZ", 0xe3, 0, 0, NONE, REL8, 0, U0, K_LOOP),
    F("CALL relz", 0xe8, 0, 0, NONE, RELZ, 0, U0, K_JMP), F("JMP relz", 0xe9, 0, 0, NONE, RELZ, 0, U0, K_JMP),
    F("JMP rel8", 0xeb, 0, 0, NONE, REL8, 0, U0, K_JMP), F("CALL Ev", 0xff, G, 2, R, I0, 0, U0, K_CALL_RM),
    F("JMP Ev", 0xff, G, 4, R, I0, 0, U0, K_JUMP_RM), ONE("RET", 0xc3, U0, K_RET), F("RET Iw", 0xc2, 0, 0, NONE, IW, 0, U0, K_RET),
    ONE("PUSH ES", 0x06, U0, K_PUSH_SEG), ONE("PUSH CS", 0x0e, U0, K_PUSH_SEG), ONE("PUSH SS", 0x16, U0, K_PUSH_SEG), ONE("PUSH DS", 0x1e, U0, K_PUSH_SEG),
    F("PUSH FS", 0xa0, TWO, 0, NONE, I0, 0, U0, K_PUSH_SEG), F("PUSH GS", 0xa8, TWO, 0, NONE, I0, 0, U0, K_PUSH_SEG),
    F("POP ES", 0x07, V86, 0, NONE, I0, 0, U0, K_POP_SEG), F("POP SS", 0x17, V86, 0, NONE, I0, 0, U0, K_POP_SEG),
    F("POP DS", 0x1f, V86, 0, NONE, I0, 0, U0, K_POP_SEG), F("POP FS", 0xa1, V86 | TWO, 0, NONE, I0, 0, U0, K_POP_SEG),
    F("POP GS", 0xa9, V86 | TWO, 0, NONE, I0, 0, U0, K_POP_SEG),
    ON_REG("PUSH", 0x50, U0, K_STACK), ON_REG("POP", 0x58, U0, K_STACK), ONE("PUSHA", 0x60, U0, K_STACK), ONE("POPA", 0x61, U0, K_STACK),
    F("PUSH Iz", 0x68, 0, 0, NONE, IZ, 0, U0, K_STACK), F("PUSH Ib", 0x6a, 0, 0, NONE, IB, 0, U0, K_STACK),
    F("PUSH Ev", 0xff, G, 6, R, I0, 0, U0, K_STACK), ONE("PUSHF", 0x9c, U0, K_IOPL), ONE("POPF", 0x9d, U0, K_POPF),
    F("ENTER", 0xc8, 0, 0, NONE, IWB, 0, U0, K_ENTER), ONE("LEAVE", 0xc9, U0, K_LEAVE),
    F("BOUND", 0x62, M | MEM, 0, R, I0, 255, U0, K_BOUND), F("LES", 0xc4, M | MEM | V86, 0, R, I0, 254, U0, K_LDS),
    F("LDS", 0xc5, M | MEM | V86, 0, R, I0, 254, U0, K_LDS), F("LSS", 0xb2, M | MEM | V86 | TWO, 0, R, I0, 254, U0, K_LDS),
    F("LFS", 0xb4, M | MEM | V86 | TWO, 0, R, I0, 254, U0, K_LDS), F("LGS", 0xb5, M | MEM | V86 | TWO, 0, R, I0, 254, U0, K_LDS),
    F("JMP ptr", 0xea, V86, 0, NONE, PTR, 0, U0, K_FAR), F("CALL ptr", 0x9a, V86, 0, NONE, PTR, 0, U0, K_FAR),
    F("JMP Mp", 0xff, G | MEM | V86, 5, R, I0, 254, U0, K_FAR_MEM), F("CALL Mp", 0xff, G | MEM | V86, 3, R, I0, 254, U0, K_FAR_MEM),
    F("RETF", 0xcb, V86, 0, NONE, I0, 0, U0, K_RETF), F("RETF Iw", 0xca, V86, 0, NONE, IW, 0, U0, K_RETF),
    F("IRET", 0xcf, V86, 0, NONE, I0, 0, U0, K_IRET), F("INT Ib", 0xcd, V86, 0, NONE, IB, 0, U0, K_INT),
    ONE("INTO", 0xce, U0, K_PLAIN), ONE("INT3", 0xcc, U0, K_PLAIN), ONE("INT1", 0xf1, U0, K_INT1),
    F("MOVZX Gv,Eb", 0xb6, M | TWO, 0, R, I0, 1, U0, K_MOVSP), F("MOVZX Gv,Ew", 0xb7, M | TWO, 0, R, I0, 2, U0, K_MOVSP),
    F("MOVSX Gv,Eb", 0xbe, M | TWO, 0, R, I0, 1, U0, K_MOVSP), F("MOVSX Gv,Ew", 0xbf, M | TWO, 0, R, I0, 2, U0, K_MOVSP),
    F("BT Ev,Gv", 0xa3, M | TWO, 0, R, I0, 0, U_BT, K_BT), F("BTS Ev,Gv", 0xab, M | TWO | LOCKS, 0, RW, I0, 0, U_BT, K_BT),
    F("BTR Ev,Gv", 0xb3, M | TWO | LOCKS, 0, RW, I0, 0, U_BT, K_BT), F("BTC Ev,Gv", 0xbb, M | TWO | LOCKS, 0, RW, I0, 0, U_BT, K_BT),
    F("BT Ev,Ib", 0xba, G | TWO, 4, R, IB, 0, U_BT, K_PLAIN), F("BTS Ev,Ib", 0xba, G | TWO | LOCKS, 5, RW, IB, 0, U_BT, K_PLAIN),
    F("BTR Ev,Ib", 0xba, G | TWO | LOCKS, 6, RW, IB, 0, U_BT, K_PLAIN), F("BTC Ev,Ib", 0xba, G | TWO | LOCKS, 7, RW, IB, 0, U_BT, K_PLAIN),
    F("BSF", 0xbc, M | TWO | NOREP, 0, R, I0, 0, U_BSF, K_MOVSP), F("BSR", 0xbd, M | TWO | NOREP, 0, R, I0, 0, U_BSF, K_MOVSP),
    F("SHLD Ib", 0xa4, M | TWO, 0, RW, IB, 0, U_SHD, K_SHD), F("SHLD CL", 0xa5, M | TWO, 0, RW, I0, 0, U_SHD, K_SHD),
    F("SHRD Ib", 0xac, M | TWO, 0, RW, IB, 0, U_SHD, K_SHD), F("SHRD CL", 0xad, M | TWO, 0, RW, I0, 0, U_SHD, K_SHD),
    F("CMPXCHG Eb", 0xb0, M | TWO | BYTE | LOCKS, 0, RW, I0, 1, U0, K_PLAIN), F("CMPXCHG Ev", 0xb1, M | TWO | LOCKS, 0, RW, I0, 0, U0, K_PLAIN),
    F("XADD Eb", 0xc0, M | TWO | BYTE | LOCKS, 0, RW, I0, 1, U0, K_PLAIN), F("XADD Ev", 0xc1, M | TWO | LOCKS, 0, RW, I0, 0, U0, K_MOVSP),
    F("CMPXCHG8B", 0xc7, G | MEM | TWO | LOCKS | NOREP, 1, RW, I0, 8, U0, K_CX8),
    F("BSWAP EDX", 0xca, TWO, 0, NONE, I0, 0, U0, K_CX8), F("BSWAP ESI", 0xce, TWO, 0, NONE, I0, 0, U0, K_CX8),
    F("NOP Ev", 0x1f, G | TWO, 0, NONE, I0, 0, U0, K_PLAIN), F("UD2", 0x0b, TWO, 0, NONE, I0, 0, U0, K_PLAIN),
    F("UD1", 0xb9, M | TWO, 0, NONE, I0, 0, U0, K_PLAIN),
};
/* clang-format on */

const u32 form_count = LEN(forms);
