/*
 * fuzz_trace.c - the trace reader and the replayer on raw bytes, hashes as they come
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/lib/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    trace_once(data, size);
    return 0;
}

void write_seeds(void)
{
    trace_seeds(0);
}
