#include "debugger/disas.h"
#include "core/cpu/regs.h"

#include <Zydis/Zydis.h>

/* Virtual-8086 mode has the instructions of real mode, SDM 3B "Virtual-8086 Mode". */
static bool init_decoder(ZydisDecoder *decoder, uint32_t mode)
{
    bool compatible = (mode & CV_MODE_LMA) != 0;
    bool real = (mode & CV_MODE_PE) == 0 || (mode & CV_MODE_VM86) != 0;
    ZydisMachineMode machine = compatible ? ZYDIS_MACHINE_MODE_LONG_COMPAT_16
                               : real     ? ZYDIS_MACHINE_MODE_REAL_16
                                          : ZYDIS_MACHINE_MODE_LEGACY_16;
    ZydisStackWidth stack = (mode & CV_MODE_SS32) != 0 ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16;
    if ((mode & CV_MODE_CS64) != 0) {
        machine = ZYDIS_MACHINE_MODE_LONG_64;
        stack = ZYDIS_STACK_WIDTH_64;
    } else if ((mode & CV_MODE_CS32) != 0) {
        machine = compatible ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32 : ZYDIS_MACHINE_MODE_LEGACY_32;
    }
    return ZYAN_SUCCESS(ZydisDecoderInit(decoder, machine, stack));
}

static bool init_formatter(ZydisFormatter *formatter)
{
    return ZYAN_SUCCESS(ZydisFormatterInit(formatter, ZYDIS_FORMATTER_STYLE_ATT)) &&
           ZYAN_SUCCESS(ZydisFormatterSetProperty(formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE)) &&
           ZYAN_SUCCESS(ZydisFormatterSetProperty(formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
                                                  ZYDIS_PADDING_DISABLED)) &&
           ZYAN_SUCCESS(ZydisFormatterSetProperty(formatter, ZYDIS_FORMATTER_PROP_DISP_PADDING,
                                                  ZYDIS_PADDING_DISABLED)) &&
           ZYAN_SUCCESS(ZydisFormatterSetProperty(formatter, ZYDIS_FORMATTER_PROP_IMM_PADDING,
                                                  ZYDIS_PADDING_DISABLED));
}

size_t cv_disas(const struct cv_cpu *cpu, const uint8_t *bytes, size_t len, uint64_t at, char *text, size_t cap)
{
    ZydisDecoder decoder;
    ZydisFormatter formatter;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    bool ok = init_decoder(&decoder, cpu->mode) && init_formatter(&formatter) &&
              ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, len, &insn, operands)) &&
              ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &insn, operands,
                                                           insn.operand_count_visible, text, cap, at, NULL));
    return ok ? insn.length : 0;
}
