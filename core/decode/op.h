/*
 * op.h - the operations an instruction can name
 *
 * Vector and x87 instructions that run as encoded share CV_OP_VEC and CV_OP_X87: what they
 * compute is in their bytes, what they touch is in cv_opinfo.flags. Those the CPU model must
 * compute itself have names of their own.
 */
#ifndef CV_CORE_DECODE_OP_H
#define CV_CORE_DECODE_OP_H

#define CV_OPS(X)                                                                        \
    /* integer arithmetic and logic */                                                   \
    X(ADD) X(OR) X(ADC) X(SBB) X(AND) X(SUB) X(XOR) X(CMP) X(TEST) X(INC) X(DEC) X(NOT)   \
    X(NEG) X(MUL) X(IMUL) X(IMUL2) X(IMUL3) X(DIV) X(IDIV) X(ADCX) X(ADOX)                \
    X(ROL) X(ROR) X(RCL) X(RCR) X(SHL) X(SHR) X(SAR) X(SHLD) X(SHRD)                      \
    X(BT) X(BTS) X(BTR) X(BTC) X(BSF) X(BSR) X(TZCNT) X(LZCNT) X(POPCNT) X(BSWAP) X(CRC32) \
    X(ANDN) X(BLSR) X(BLSI) X(BLSMSK) X(BZHI) X(BEXTR) X(PDEP) X(PEXT) X(MULX) X(RORX)     \
    X(SARX) X(SHLX) X(SHRX)                                                              \
    X(DAA) X(DAS) X(AAA) X(AAS) X(AAM) X(AAD)                                            \
    /* moves */                                                                          \
    X(MOV) X(MOVZX8) X(MOVZX16) X(MOVSX8) X(MOVSX16) X(MOVSXD) X(MOVBE) X(MOVNTI) X(LEA)  \
    X(XCHG) X(CMPXCHG) X(CMPXCHG8B) /* also 16B */ X(XADD) X(CMOV) X(SETCC) X(CBW) X(CWD) \
    X(LAHF) X(SAHF) X(XLAT) X(SALC) X(BOUND) X(ARPL)                                     \
    /* stack */                                                                          \
    X(PUSH) X(POP) X(PUSHA) X(POPA) X(PUSHF) X(POPF) X(ENTER) X(LEAVE) X(PUSHSEG)         \
    X(POPSEG)                                                                            \
    /* control transfer */                                                               \
    X(JCC) X(JMP) X(JMP_IND) X(CALL) X(CALL_IND) X(RET) X(JMPF) X(CALLF) X(RETF) X(IRET)   \
    X(LOOP) X(LOOPE) X(LOOPNE) X(JCXZ) X(INT) X(INT3) X(INT1) X(INTO) X(UD)               \
    /* flags */                                                                          \
    X(CLC) X(STC) X(CMC) X(CLD) X(STD) X(CLI) X(STI) X(CLAC) X(STAC)                      \
    /* strings */                                                                        \
    X(MOVS) X(CMPS) X(SCAS) X(LODS) X(STOS) X(INS) X(OUTS)                                \
    /* ports */                                                                          \
    X(IN) X(OUT)                                                                         \
    /* system */                                                                         \
    X(MOVSEG_LOAD) X(MOVSEG_STORE) X(LDS) /* LES LSS LFS LGS: imm2 = segment */            \
    X(MOVCR_LOAD) X(MOVCR_STORE) X(MOVDR_LOAD) X(MOVDR_STORE) X(LGDT) X(LIDT) X(SGDT)      \
    X(SIDT) X(LLDT) X(SLDT) X(LTR) X(STR) X(LMSW) X(SMSW) X(CLTS) X(INVLPG) X(INVPCID)      \
    X(INVD) X(WBINVD) X(LAR) X(LSL) X(VERR) X(VERW) X(RDMSR) X(WRMSR) X(RDTSC) X(RDTSCP)    \
    X(RDPMC) X(CPUID) X(HLT) X(SYSCALL) X(SYSRET) X(SYSENTER) X(SYSEXIT)           \
    X(SWAPGS) X(RDFSBASE) X(RDGSBASE) X(WRFSBASE) X(WRGSBASE) X(XGETBV) X(XSETBV)           \
    X(RDRAND) X(RDSEED)                                                                  \
    /* hints and fences: no effect */                                                    \
    X(NOP) X(PAUSE) X(PREFETCH) X(LFENCE) X(MFENCE) X(SFENCE) X(CLFLUSH) X(ENDBR)           \
    /* FPU state, computed by us */                                                      \
    X(FXSAVE) X(FXRSTOR) X(XSAVE) X(XSAVEOPT) X(XRSTOR) X(LDMXCSR) X(STMXCSR)      \
    X(FNSTENV) X(FLDENV) X(FNSAVE) X(FRSTOR) X(FWAIT)                                     \
    /* approximations and transcendentals, computed by us */                             \
    X(RCPPS) X(RCPSS) X(RSQRTPS) X(RSQRTSS) X(FTRANS) /* F2XM1 FSIN FCOS ...: by bytes */   \
    /* vector memory forms with element-wise faults, computed by us */                   \
    X(MASKMOVQ) X(MASKMOVDQU) X(VMASKMOV) X(VGATHER)                                     \
    /* everything else runs as encoded */                                                \
    X(VEC) X(X87) X(EMMS) X(VZERO)

enum cv_op {
#define CV_OP_ENUM(name) CV_OP_##name,
    CV_OPS(CV_OP_ENUM)
#undef CV_OP_ENUM
    CV_OP_COUNT
};

#endif
