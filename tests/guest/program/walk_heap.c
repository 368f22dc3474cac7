/*
 * walk_heap.c - a program with a bug: one name is longer than the room made for it.
 *
 * A table of people. Renaming one copies a name without looking at the room there is, over the size in the header of the
 * heap chunk behind it. Nothing happens. Much later the table is given back, glibc finds a chunk that cannot be, and
 * the program is aborted in free(), far from the store that is to blame.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEOPLE 64

struct person {
    char *name;
    unsigned long visits;
};

static struct person people[PEOPLE];

static __attribute__((noinline)) void copy_name(char *to, const char *from)
{
    while ((*to++ = *from++) != '\0') {
        __asm__ volatile("" ::: "memory"); /* stays a loop of stores */
    }
}

static __attribute__((noinline)) void rename_person(unsigned i, const char *name)
{
    copy_name(people[i].name, name);
}

static __attribute__((noinline)) void work_on(unsigned rounds)
{
    for (unsigned r = 0; r < rounds; r++) {
        struct person *p = &people[r * 7 % PEOPLE];
        char *line = malloc(200);
        snprintf(line, 200, "%.8s was here %lu times", p->name, ++p->visits);
        free(line);
    }
}

int main(void)
{
    for (unsigned i = 0; i < PEOPLE; i++) {
        people[i].name = malloc(24);
        copy_name(people[i].name, "nobody");
    }
    work_on(2000);
    rename_person(17, "Wolfeschlegelsteinhausenberg");
    work_on(20000);
    puts("HEAP: done, giving everything back");
    fflush(stdout);
    for (unsigned i = 0; i < PEOPLE; i++) {
        free(people[i].name);
    }
    puts("HEAP: all is well");
    return 0;
}
