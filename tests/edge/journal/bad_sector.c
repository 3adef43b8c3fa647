/* A card whose bytes BAD_FROM to BAD_TO of the file with the inode number BAD_INODE cannot be read: for LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static long long number(const char *name) {
    const char *text = getenv(name);
    return text == NULL ? 0 : atoll(text);
}

ssize_t pread64(int descriptor, void *into, size_t count, off64_t from) {
    static ssize_t (*real)(int, void *, size_t, off64_t);
    struct stat found;
    if (real == NULL)
        real = (ssize_t(*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
    if (from < number("BAD_TO") && from + (off64_t)count > number("BAD_FROM") && fstat(descriptor, &found) == 0 &&
        (long long)found.st_ino == number("BAD_INODE")) {
        errno = EIO;
        return -1;
    }
    return real(descriptor, into, count, from);
}
