#include "app/commands.h"
#include "app/options.h"

const struct cv_command_row cv_commands[] = {
    {"run", CV_COMMAND_RUN, "MACHINE", "run a machine without recording", cv_cmd_machine},
    {"record", CV_COMMAND_RECORD, "MACHINE -o TRACE", "run a machine and record it",
     cv_cmd_machine},
    {"replay", CV_COMMAND_REPLAY, "TRACE [--to POS] [--console]", "run a trace again",
     cv_cmd_trace},
    {"verify", CV_COMMAND_VERIFY, "TRACE [--json] [--bisect TRACE2]", "replay against every digest", cv_cmd_trace},
    {"info", CV_COMMAND_INFO, "TRACE [--json] [--chunks] [--events]", "what a trace holds",
     cv_cmd_trace},
    {"query", CV_COMMAND_QUERY, "TRACE QUESTION [--from POS] [--to POS] [--json]",
     "who wrote this, what values, which calls", cv_cmd_trace},
    {"debug", CV_COMMAND_DEBUG, "TRACE [--at POS] [--vmlinux FILE] [-- GDB ARGS]",
     "gdb on a trace, ready to go backwards", cv_cmd_gdb},
    {"gdbserver", CV_COMMAND_GDBSERVER, "TRACE --socket PATH | --tcp 127.0.0.1:PORT",
     "serve any gdb on a trace", cv_cmd_gdb},
    {"engine", 0, "FD", "", cv_cmd_engine},
};
const unsigned cv_command_count = sizeof(cv_commands) / sizeof(cv_commands[0]);
