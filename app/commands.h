/*
 * commands.h - the sub-commands
 */
#ifndef CV_APP_COMMANDS_H
#define CV_APP_COMMANDS_H

struct cv_command_row {
    const char *name;
    unsigned command; /* CV_COMMAND_*, 0: not for users */
    const char *usage;
    const char *summary;
    int (*run)(const struct cv_command_row *row, int argc, char **argv);
};

extern const struct cv_command_row cv_commands[];
extern const unsigned cv_command_count;

int cv_cmd_machine(const struct cv_command_row *row, int argc, char **argv); /* run, record */
int cv_cmd_trace(const struct cv_command_row *row, int argc, char **argv); /* replay verify info */
int cv_cmd_gdb(const struct cv_command_row *row, int argc, char **argv); /* debug gdbserver */
int cv_cmd_engine(const struct cv_command_row *row, int argc, char **argv);

#endif
