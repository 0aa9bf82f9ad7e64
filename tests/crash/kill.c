/* Loaded before the C library into the program under test: ends it, or fails it, at one chosen call that writes what a
   run keeps. RUNBOOK_FAULT is `HOW:NUMBER`, counted from one over the writes and syncs of journal, head and seal:
   before, after: killed before or after the call; torn: killed after half of a write; full: the write finds no space. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int calls;

/* Whether a run keeps something in the file; the journal is the only one in which a write can end in the middle: the
   others are shorter than a disk's sector. */
static int is_ours(int fd, int torn) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    if (!name) return 0;
    return !strcmp(name, "/journal.ndjson") || (!torn && (!strcmp(name, "/head") || !strcmp(name, "/seal")));
}

/* What is to happen at this call; nothing at most of them. */
static const char *fault(int fd, char *how, size_t size) {
    const char *wanted = getenv("RUNBOOK_FAULT");
    if (!wanted || !is_ours(fd, !strncmp(wanted, "torn", 4))) return NULL;
    const char *colon = strchr(wanted, ':');
    if (!colon || atomic_fetch_add(&calls, 1) + 1 != atoi(colon + 1)) return NULL;
    snprintf(how, size, "%.*s", (int)(colon - wanted), wanted);
    return how;
}

static void end(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    char buffer[16];
    const char *how = fault(fd, buffer, sizeof buffer);
    if (!how) return real(fd, bytes, count, at);
    if (!strcmp(how, "before")) end();
    if (!strcmp(how, "torn")) { real(fd, bytes, count / 2, at); end(); }
    if (!strcmp(how, "full")) { errno = ENOSPC; return -1; }
    real(fd, bytes, count, at);
    end();
    return -1;
}

int fdatasync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    char buffer[16];
    const char *how = fault(fd, buffer, sizeof buffer);
    if (!how) return real(fd);
    if (!strcmp(how, "full")) { errno = EIO; return -1; }
    if (!strcmp(how, "after")) real(fd);
    end();
    return -1;
}
