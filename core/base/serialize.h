/*
 * serialize.h - making code that was written through another mapping sure to be seen
 * Spec:    SDM 3A "Handling Self- and Cross-Modifying Code" (8.1.3): code changed by another linear
 *          address than it is fetched by needs a serializing instruction before it runs
 * Thread:  any; general registers only
 */
#ifndef CV_CORE_BASE_SERIALIZE_H
#define CV_CORE_BASE_SERIALIZE_H

/* IRET to the next instruction: the cheapest serializing instruction that a hypervisor below us does not trap. */
static __attribute__((noinline, unused)) void cv_serialize(void)
{
    __asm__ volatile("mov %%rsp, %%rcx\n\t"
                     "lea -128(%%rsp), %%rsp\n\t"
                     "mov %%ss, %%eax\n\t"
                     "push %%rax\n\t"
                     "push %%rcx\n\t"
                     "pushfq\n\t"
                     "mov %%cs, %%eax\n\t"
                     "push %%rax\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "iretq\n"
                     "1:"
                     :
                     :
                     : "rax", "rcx", "cc", "memory");
}

#endif
