/*
 * main.c - chronovisor: finds the sub-command and runs it
 */
#include "app/commands.h"
#include "core/base/error.h"

#include <stdio.h>
#include <string.h>

#define CV_VERSION "0.1"

static void print_help(void)
{
    printf("usage: chronovisor COMMAND ...\n\n"
           "Records a whole x86-64 guest and moves through the run in both directions.\n\n");
    for (unsigned i = 0; i < cv_command_count; i++) {
        if (cv_commands[i].command != 0) {
            printf("  %-10s %s\n", cv_commands[i].name, cv_commands[i].summary);
        }
    }
    printf("\nchronovisor COMMAND --help tells more; see also chronovisor(1).\n");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
        print_help();
        return argc > 1 ? CV_EXIT_OK : CV_EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0) {
        printf("chronovisor " CV_VERSION "\n");
        return CV_EXIT_OK;
    }
    for (unsigned i = 0; i < cv_command_count; i++) {
        if (strcmp(cv_commands[i].name, name) == 0) {
            return cv_commands[i].run(&cv_commands[i], argc - 2, argv + 2);
        }
    }
    fprintf(stderr, "chronovisor: error: %s: no such command; see --help [CV-E064]\n", name);
    return CV_EXIT_USAGE;
}
