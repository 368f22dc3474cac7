/*
 * hello.c - the smallest guest: prints, does arithmetic, ends by the debug-exit port
 * Run alone: chronovisor run --kernel build/guest/hello --memory 16M
 */
#include "lib.h"

int main(void)
{
    uint64_t a = 1, b = 1;
    print("hello\n");
    for (unsigned i = 0; i < 1000000; i++) {
        uint64_t c = a * 6364136223846793005ull + b;
        a = b ^ (c >> 7);
        b = c;
    }
    mix(a);
    mix(b);
    return finish();
}
