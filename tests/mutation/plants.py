"""plants.py - sources of nondeterminism, each one change of one file.

`where` is a pattern of what the report must say: the code of the step (as `verify --bisect` prints it) or the component. LEAK is
something of the host's that a guest must never see.
"""
from collections import namedtuple

Plant = namedtuple("Plant", "name what file old new guest where include", defaults=["sources", "", ""])
LEAK = "__builtin_ia32_rdtsc()"


def step(code):
    """The step's first bytes, after the address that --bisect prints."""
    return r'"code":"0x[0-9a-f]+: ' + code


def component(names):
    return r'"component":"(%s)"|in (%s) \(expected|"component":"(%s)' % (names, names, names)


PLANTS = [
    Plant("clock", "RDTSC shows a bit of the host's clock", "core/system/msr.c",
          "return cv_cpu_vtime(cpu) + cpu->tsc_offset;",
          "return cv_cpu_vtime(cpu) + cpu->tsc_offset + (%s >> 4 & 1);" % LEAK, where=step("0f 31")),
    Plant("random", "RDRAND depends on where the host placed the CPU", "core/system/msr.c",
          "    return result;\n}",
          "    return result ^ ((uintptr_t)cpu >> 12);\n}", where=step("(48 )?0f c7 f")),
    Plant("identity", "CPUID shows something of the host", "core/system/msr.c",
          "void cv_cpuid(const struct cv_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])\n{",
          "void cv_cpuid(const struct cv_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])\n{\n"
          "    leaf = leaf == 1 && (%s >> 5 & 1) != 0 ? 7 : leaf;" % LEAK, where=step("0f a2")),
    Plant("port time", "a port access takes the host's time", "core/interp/interp_port.c",
          "cpu->charge(cpu->charge_arg, PORT_CHARGE_NS);",
          "cpu->charge(cpu->charge_arg, PORT_CHARGE_NS + (uint32_t)(%s >> 4 & 1));" % LEAK, where=step("(e6|ee|e4|ec)")),
    Plant("mmio time", "an MMIO access takes the host's time", "core/mem/access.c",
          "cpu->charge(cpu->charge_arg, MMIO_CHARGE_NS);",
          "cpu->charge(cpu->charge_arg, MMIO_CHARGE_NS + (uint32_t)(%s >> 4 & 1));" % LEAK,
          where=step("(8b|89|c7|a1|45|44)")),
    Plant("log", "an access takes longer when it is logged", "core/interp/interp_port.c",
          "cpu->charge(cpu->charge_arg, PORT_CHARGE_NS);",
          "cpu->charge(cpu->charge_arg, PORT_CHARGE_NS + cv_log_on(\"port\", CV_LOG_TRACE));",
          include='#include "core/base/log.h"\n', where=component("time|board|cpu")),
    Plant("dirty bit", "a dirty bit is lost now and then", "core/mem/mmu.c",
          "set_accessed(&w, write);",
          "set_accessed(&w, write && (%s >> 4 & 63) != 0);" % LEAK, where=component("ram|cpu")),
    Plant("page walk", "an accessed bit depends on the size of the TLB", "core/mem/mmu.c",
          "    if (set_ad) {",
          "    if (set_ad && (cpu->tlb == NULL || cpu->tlb->index_mask > 0xfffff || (acc & 3u) == CV_ACC_WRITE)) {",
          include='#include "core/mem/tlb.h"\n', where=component("ram|cpu")),
    Plant("watched slice", "a watch that is met ends the slice of a repeated string instruction", "core/interp/interp_string.c",
          "if (*done || x->trap || cpu->db_pending != 0 ||",
          "if (*done || x->trap || cpu->db_pending != 0 || (cpu->leave & CV_LEAVE_DEBUG) != 0 ||",
          guest="string", where=step("(f3|f2)")),
    Plant("stale block", "some translated code survives a write to it", "core/translate/block.c",
          "if (!b->dead && overlaps(b, i % 2, gpa, gpa + len)) {",
          "if (!b->dead && overlaps(b, i % 2, gpa, gpa + len) && (b->bytes != 6 || len != 4)) {",
          where=step("b8")),
    Plant("flags", "undefined flags are the host's", "core/translate/liveness.c",
          "    *fx = (struct cv_flagfx){info->fl_read, info->fl_write, info->fl_undef,",
          "    *fx = (struct cv_flagfx){info->fl_read, info->fl_write, 0,", where='seek: |"block":true'),
    Plant("approximation", "RCPSS is the host's", "core/interp/interp.c",
          "    TO(execute_fp, RCPSS),", "    TO(cv_interp_host_rcp, RCPSS),",
          include="#include \"core/interp/approx.h\"\n#include \"core/interp/interp_private.h\"\n#include \"core/interp/fpregs.h\"\n"
                  "static bool cv_interp_host_rcp(struct cv_interp_op *x)\n{\n    if (!cv_approx_run(x->cpu, x->insn)) {\n"
                  "        return false;\n    }\n    uint8_t r[32];\n    cv_fpregs_get(x->insn->reg, r);\n"
                  "    r[2] ^= (uint8_t)(%s >> 4 & 1);\n    cv_fpregs_set_low(x->insn->reg, r);\n    return true;\n}\n" % LEAK,
          where=step("f3 0f 53")),
    Plant("slices", "a REP slice goes on over a page's edge when the TLB is small", "core/interp/interp_string.c",
          "static bool leaves_page(const struct cv_cpu *cpu, const struct string *s, unsigned reg,\n"
          "                        cv_gva done)\n{\n",
          "static bool leaves_page(const struct cv_cpu *cpu, const struct string *s, unsigned reg,\n"
          "                        cv_gva done)\n{\n    if (cpu->tlb->index_mask < 0x20000) {\n        return false;\n    }\n",
          include='#include "core/mem/tlb.h"\n', where=step("f3 a4")),
    Plant("late interrupt", "a deadline is met late in a small code cache", "core/dev/timeq.c",
          "    return q->next > now + q->skew ? q->next - q->skew : now;",
          "    return q->next > now + q->skew ? q->next - q->skew + (%s >> 4 & 1) : now;" % LEAK,
          where=component("cpu|lapic|time|board|ram|vm")),
    Plant("visit", "stopping somewhere moves the clock", "core/vm.c",
          "        if (now > limit || (now == limit && !to_idle)) {\n",
          "        if (now > limit || (now == limit && !to_idle)) {\n"
          "            cv_timeq_advance(cv_board_timeq(vm->board), (now >> 4 & 1) << 3);\n", where="seek: |event|timeq|unfaithful.*\"(cpu|timeq|vm)\""),
    Plant("padding", "a saved state holds a byte of the host's memory", "core/dev/uart16550.c",
          "    cv_section_u16(s, &u->divisor);",
          "    uint16_t divisor = (uint16_t)(u->divisor ^ (uintptr_t)u >> 20);\n"
          "    cv_section_u16(s, cv_section_loading(s) ? &u->divisor : &divisor);", where=component("uart0|uart1")),
    Plant("lost version", "a checkpoint forgets a page", "record/checkpoint.c",
          "    if (memcmp(page_bytes(store, number), bytes, CV_PAGE_SIZE) != 0) {",
          "    if (number % 3 != 0 && memcmp(page_bytes(store, number), bytes, CV_PAGE_SIZE) != 0) {",
          where="seek: "),
    Plant("lost state", "a checkpoint forgets a device's register", "core/dev/lapic.c",
          "    cv_section_u64(s, &a->timer_tick);",
          "    uint64_t tick = a->timer_tick;\n    cv_section_u64(s, &tick);", where="seek: "),
    Plant("late input", "an input is logged one step late", "record/recorder.c",
          "    uint64_t begin = read_cpu_ns();\n    bool good = cv_writer_event",
          "    uint64_t begin = read_cpu_ns();\n    event.pos.icount += event.pos.phase == CV_PHASE_STEP ? 1 : 0;\n"
          "    event.pos.vtime += event.pos.phase == CV_PHASE_IDLE ? 1 : 0;\n    bool good = cv_writer_event",
          guest="echo", where=component("event|end|cpu\\+dev|cpu|uart0")),
    Plant("lost input", "a byte of input is not logged", "record/recorder.c",
          "    bool good = cv_writer_event(rec->writer, &event);",
          "    event.input.len -= event.input.len > 2 ? 1 : 0;\n    bool good = cv_writer_event(rec->writer, &event);",
          guest="echo", where=component("event|end|cpu\\+dev|cpu|uart0")),
    Plant("stop", "an asked stop moves the clock", "core/vm.c",
          "        if (__atomic_load_n(&vm->stop, __ATOMIC_RELAXED)) {",
          "        if (__atomic_load_n(&vm->stop, __ATOMIC_RELAXED)) {\n            cv_timeq_advance(cv_board_timeq(vm->board), 7);",
          guest="echo", where=component("event|end|cpu\\+dev|cpu|time")),
    Plant("idle", "an idle jump lands where the host's clock says", "core/vm.c",
          "        cv_timeq_advance(q, vtime - now);",
          "        cv_timeq_advance(q, vtime - now + (%s >> 4 & 1));" % LEAK, where=component("cpu|time|board|event|end|lapic|ram|vm")),
    Plant("chain", "a linked block is not counted", "core/translate/chain.c",
          ".undo = (uint8_t)(t->n - s->k),",
          ".undo = (uint8_t)(t->n - s->k + (s->kind == CV_LEFT_SLOW && t->n > 9)),", where=component("cpu|lapic|ram|time|end|event")),
]
