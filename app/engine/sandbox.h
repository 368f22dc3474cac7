/*
 * sandbox.h - the system calls an engine may make
 *
 * Two steps, both of them one-way: cv_sandbox_enter() before any job, file or image is looked
 * at: no open, exec, socket, connect, ptrace, kill of others, io_uring, bpf. Then
 * cv_sandbox_seal() once the machine exists: no new executable memory.
 * Errors:  69 when the host's kernel has no seccomp
 */
#ifndef CV_APP_ENGINE_SANDBOX_H
#define CV_APP_ENGINE_SANDBOX_H

#include "core/base/error.h"

bool cv_sandbox_enter(struct cv_error *err);
bool cv_sandbox_seal(struct cv_error *err);

#endif
