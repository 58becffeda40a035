/* What a process does to the files under one directory, in order, in a log that lies elsewhere.

   LD_PRELOAD it, with POWERCUT_DIR (absolute, no links in it) and POWERCUT_LOG in the environment.
   Each call is passed on and noted, as one step for all processes that write to the log: a lock on
   the log is held around both. An fsync is noted twice, before and after, and not locked between:
   it covers what was noted before it began. A write through a descriptor that syncs by itself
   (O_SYNC, O_DSYNC) is noted as a write, then as synced.

   tests/crashes/disk.py reads the log; `struct entry` is its format. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct entry {
    char op;
    char pad[7];
    uint64_t thread, inode, other, offset;
    uint32_t path_bytes, path2_bytes;
    uint64_t data_bytes;
};

static const char *watched, *log_path;
static size_t watched_bytes;
static int log_fd = -1;
static pid_t log_pid;
static long entries_left = -1; /* of this process, until it kills itself */
static char fatal_op;          /* of which only these count, and the last is not noted any more */
static pthread_mutex_t within = PTHREAD_MUTEX_INITIALIZER;

static void raw_write(int fd, const void *data, size_t size) {
    while (size) {
        ssize_t done = syscall(SYS_write, fd, data, size);
        if (done < 0) abort();
        data = (const char *)data + done;
        size -= (size_t)done;
    }
}

static void lock_log(void) {
    pthread_mutex_lock(&within);
    if (log_pid != getpid()) { /* a forked child shares the lock of the open file: take its own */
        if (log_fd >= 0) syscall(SYS_close, log_fd);
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log_path,
                              O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (log_fd < 0) abort();
        log_fd = (int)syscall(SYS_fcntl, log_fd, F_DUPFD_CLOEXEC, 500); /* out of the way */
        log_pid = getpid();
    }
    flock(log_fd, LOCK_EX);
}

static void unlock_log(void) {
    flock(log_fd, LOCK_UN);
    pthread_mutex_unlock(&within);
}

static void note(char op, uint64_t inode, uint64_t other, uint64_t offset, const char *path,
                 const char *path2, const void *data, size_t size) {
    if (fatal_op == op && entries_left > 0 && --entries_left == 0) kill(getpid(), SIGKILL);
    struct entry entry = {.op = op, .thread = (uint64_t)gettid(), .inode = inode, .other = other,
                          .offset = offset,
                          .path_bytes = (uint32_t)strlen(path),
                          .path2_bytes = (uint32_t)strlen(path2), .data_bytes = size};
    raw_write(log_fd, &entry, sizeof entry);
    raw_write(log_fd, path, entry.path_bytes);
    raw_write(log_fd, path2, entry.path2_bytes);
    raw_write(log_fd, data, size);
    if (!fatal_op && entries_left > 0 && --entries_left == 0) kill(getpid(), SIGKILL);
}

__attribute__((constructor)) static void begin(void) {
    watched = getenv("POWERCUT_DIR");
    log_path = getenv("POWERCUT_LOG");
    if (watched && log_path) watched_bytes = strlen(watched);
}

/* What the program itself wants in the log: what it lets out. */
void powercut_mark(const char *text) {
    lock_log();
    note('M', 0, 0, 0, "", "", text, strlen(text));
    unlock_log();
}

/* Die by SIGKILL right after that many entries; or, given an op, where that many of it would be. */
void powercut_kill(char op, long entries) {
    fatal_op = op;
    entries_left = entries;
}

/* --- which files */

static int is_watched(const char *path) {
    return watched_bytes && !strncmp(path, watched, watched_bytes) &&
           (path[watched_bytes] == '/' || !path[watched_bytes]);
}

static int fd_is_watched(int fd, struct stat *found) {
    char link[64], path[PATH_MAX];
    if (!watched_bytes || fstat(fd, found)) return 0;
    if (!S_ISREG(found->st_mode) && !S_ISDIR(found->st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return is_watched(path);
}

/* The path inside the watched directory, or NULL. */
static const char *inside(int dir, const char *path, char *out) {
    char folder[PATH_MAX], name[PATH_MAX], real[PATH_MAX];
    if (!watched_bytes || !path) return NULL;
    if (path[0] == '/') {
        snprintf(folder, sizeof folder, "%s", path);
    } else if (dir == AT_FDCWD) {
        if (!getcwd(folder, sizeof folder - 1)) return NULL;
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t size = readlink(link, folder, sizeof folder - 1);
        if (size < 0) return NULL;
        folder[size] = 0;
    }
    if (path[0] != '/') {
        size_t size = strlen(folder);
        snprintf(folder + size, sizeof folder - size, "/%s", path);
    }
    size_t end = strlen(folder);
    while (end > 1 && folder[end - 1] == '/') folder[--end] = 0;
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder) return NULL;
    snprintf(name, sizeof name, "%s", slash + 1);
    *slash = 0;
    if (!realpath(folder, real)) return NULL;
    if (snprintf(out, PATH_MAX, "%s/%s", real, name) >= PATH_MAX) abort();
    if (!is_watched(out)) return NULL;
    return out[watched_bytes] ? out + watched_bytes + 1 : "";
}

static uint64_t inode_at(int dir, const char *path) {
    struct stat found;
    return fstatat(dir, path, &found, AT_SYMLINK_NOFOLLOW) ? 0 : found.st_ino;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* --- opening and making */

static int opened(int dir, const char *path, int flags, mode_t mode) {
    char place[PATH_MAX];
    const char *name = flags & (O_CREAT | O_TRUNC) ? inside(dir, path, place) : NULL;
    if (!name) return (int)syscall(SYS_openat, dir, path, flags | O_LARGEFILE, mode);
    lock_log();
    uint64_t before = inode_at(dir, path);
    int fd = (int)syscall(SYS_openat, dir, path, flags | O_LARGEFILE, mode), error = errno;
    struct stat found;
    if (fd >= 0 && !fstat(fd, &found)) {
        if (!before) note('c', found.st_ino, 0, 0, name, "", "", 0);
        else if (flags & O_TRUNC) note('t', found.st_ino, 0, 0, "", "", "", 0);
    }
    unlock_log();
    errno = error;
    return fd;
}

#define MODE(flags, last) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, last); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) { MODE(flags, flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags, flags) return opened(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags, flags) return opened(dir, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

static int made(int dir, const char *path, mode_t mode) {
    char place[PATH_MAX];
    const char *name = inside(dir, path, place);
    if (!name) return (int)syscall(SYS_mkdirat, dir, path, mode);
    lock_log();
    int result = (int)syscall(SYS_mkdirat, dir, path, mode), error = errno;
    if (!result) note('d', inode_at(dir, path), 0, 0, name, "", "", 0);
    unlock_log();
    errno = error;
    return result;
}

int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int dir, const char *path, mode_t mode) { return made(dir, path, mode); }

int symlinkat(const char *target, int dir, const char *path) {
    char place[PATH_MAX];
    const char *name = inside(dir, path, place);
    if (!name) return (int)syscall(SYS_symlinkat, target, dir, path);
    lock_log();
    int result = (int)syscall(SYS_symlinkat, target, dir, path), error = errno;
    if (!result) note('s', inode_at(dir, path), 0, 0, name, "", target, strlen(target));
    unlock_log();
    errno = error;
    return result;
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

/* --- names */

static int removed(int dir, const char *path, int flags) {
    char place[PATH_MAX];
    const char *name = inside(dir, path, place);
    if (!name) return (int)syscall(SYS_unlinkat, dir, path, flags);
    lock_log();
    uint64_t inode = inode_at(dir, path);
    int result = (int)syscall(SYS_unlinkat, dir, path, flags), error = errno;
    if (!result) note('u', inode, 0, 0, name, "", "", 0);
    unlock_log();
    errno = error;
    return result;
}

int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int dir, const char *path, int flags) { return removed(dir, path, flags); }
int rmdir(const char *path) { return removed(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    int result = removed(AT_FDCWD, path, 0);
    return result && errno == EISDIR ? removed(AT_FDCWD, path, AT_REMOVEDIR) : result;
}

static int renamed(int dir, const char *old, int dir2, const char *new, unsigned flags, char op) {
    char place[PATH_MAX], place2[PATH_MAX];
    const char *name = inside(dir, old, place), *name2 = inside(dir2, new, place2);
    long call = op == 'l' ? SYS_linkat : SYS_renameat2;
    if (!name && !name2) return (int)syscall(call, dir, old, dir2, new, flags);
    lock_log();
    uint64_t inode = inode_at(dir, old);
    int result = (int)syscall(call, dir, old, dir2, new, flags), error = errno;
    if (op == 'r' && flags & 2) op = 'x'; /* RENAME_EXCHANGE */
    if (!result)
        note(name && name2 ? op : '!', inode, 0, 0, name ? name : "", name2 ? name2 : "", "", 0);
    unlock_log();
    errno = error;
    return result;
}

int rename(const char *old, const char *new) { return renamed(AT_FDCWD, old, AT_FDCWD, new, 0, 'r'); }
int renameat(int dir, const char *old, int dir2, const char *new) { return renamed(dir, old, dir2, new, 0, 'r'); }
int renameat2(int dir, const char *old, int dir2, const char *new, unsigned flags) { return renamed(dir, old, dir2, new, flags, 'r'); }
int link(const char *old, const char *new) { return renamed(AT_FDCWD, old, AT_FDCWD, new, 0, 'l'); }
int linkat(int dir, const char *old, int dir2, const char *new, int flags) { return renamed(dir, old, dir2, new, (unsigned)flags, 'l'); }

/* --- bytes */

/* Note what the call has written: from the buffers, as much as it said. */
static void note_written(int fd, const struct stat *found, off_t offset, const struct iovec *parts,
                         int count, ssize_t done) {
    char *data = malloc(done > 0 ? (size_t)done : 1), *end = data;
    size_t left = done > 0 ? (size_t)done : 0;
    for (int i = 0; i < count && left; i++) {
        size_t some = parts[i].iov_len < left ? parts[i].iov_len : left;
        memcpy(end, parts[i].iov_base, some);
        end += some;
        left -= some;
    }
    if (done > 0) {
        note('w', found->st_ino, 0, (uint64_t)offset, "", "", data, (size_t)done);
        if (fcntl(fd, F_GETFL) & O_DSYNC) note('y', found->st_ino, 0, 0, "", "", "", 0);
    }
    free(data);
}

static ssize_t written(int fd, const struct iovec *parts, int count, off_t at, int positioned) {
    struct stat found;
    if (!fd_is_watched(fd, &found))
        return positioned ? syscall(SYS_pwritev, fd, parts, count, at, 0) : syscall(SYS_writev, fd, parts, count);
    lock_log();
    if (!positioned) {
        fstat(fd, &found);
        at = fcntl(fd, F_GETFL) & O_APPEND ? found.st_size : lseek(fd, 0, SEEK_CUR);
    }
    ssize_t done = positioned ? syscall(SYS_pwritev, fd, parts, count, at, 0) : syscall(SYS_writev, fd, parts, count);
    int error = errno;
    note_written(fd, &found, at, parts, count, done);
    unlock_log();
    errno = error;
    return done;
}

static ssize_t written_one(int fd, const void *data, size_t size, off_t at, int positioned) {
    struct iovec part = {.iov_base = (void *)data, .iov_len = size};
    return written(fd, &part, 1, at, positioned);
}

ssize_t write(int fd, const void *data, size_t size) { return written_one(fd, data, size, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return written_one(fd, data, size, at, 1); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return written_one(fd, data, size, at, 1); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return written(fd, parts, count, 0, 0); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return written(fd, parts, count, at, 1); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) { return written(fd, parts, count, at, 1); }
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags) { (void)flags; return written(fd, parts, count, at, at != -1); }
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off_t at, int flags) { (void)flags; return written(fd, parts, count, at, at != -1); }

static int resized(int fd, off_t size) {
    struct stat found;
    if (!fd_is_watched(fd, &found)) return (int)syscall(SYS_ftruncate, fd, size);
    lock_log();
    int result = (int)syscall(SYS_ftruncate, fd, size), error = errno;
    if (!result) note('t', found.st_ino, 0, (uint64_t)size, "", "", "", 0);
    unlock_log();
    errno = error;
    return result;
}

int ftruncate(int fd, off_t size) { return resized(fd, size); }
int ftruncate64(int fd, off_t size) { return resized(fd, size); }
int truncate(const char *path, off_t size) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY, 0), result = fd < 0 ? -1 : resized(fd, size);
    if (fd >= 0) syscall(SYS_close, fd);
    return result;
}
int truncate64(const char *path, off_t size) { return truncate(path, size); }

static int reserved(int fd, int mode, off_t at, off_t size) {
    struct stat found, then;
    if (!fd_is_watched(fd, &found)) return (int)syscall(SYS_fallocate, fd, mode, at, size);
    lock_log();
    int result = (int)syscall(SYS_fallocate, fd, mode, at, size), error = errno;
    if (!result && mode) note('!', found.st_ino, 0, 0, "fallocate", "", "", 0);
    else if (!result && !fstat(fd, &then) && then.st_size > found.st_size)
        note('t', found.st_ino, 0, (uint64_t)then.st_size, "", "", "", 0);
    unlock_log();
    errno = error;
    return result;
}

int fallocate(int fd, int mode, off_t at, off_t size) { return reserved(fd, mode, at, size); }
int fallocate64(int fd, int mode, off_t at, off_t size) { return reserved(fd, mode, at, size); }
int posix_fallocate(int fd, off_t at, off_t size) { return reserved(fd, 0, at, size) ? errno : 0; }
int posix_fallocate64(int fd, off_t at, off_t size) { return posix_fallocate(fd, at, size); }

/* Nobody here is to write in a way that is not noted: it is noted that he did. */
static void unseen(int fd, const char *how) {
    struct stat found;
    if (!fd_is_watched(fd, &found)) return;
    lock_log();
    note('!', found.st_ino, 0, 0, how, "", "", 0);
    unlock_log();
}

ssize_t sendfile(int out, int in, off_t *at, size_t size) { unseen(out, "sendfile"); return syscall(SYS_sendfile, out, in, at, size); }
ssize_t sendfile64(int out, int in, off_t *at, size_t size) { unseen(out, "sendfile"); return syscall(SYS_sendfile, out, in, at, size); }
ssize_t copy_file_range(int in, off_t *at, int out, off_t *to, size_t size, unsigned flags) {
    unseen(out, "copy_file_range");
    return syscall(SYS_copy_file_range, in, at, out, to, size, flags);
}

/* A file that is mapped to be written may hold anything after a power cut. */
static void *mapped(void *at, size_t size, int rights, int flags, int fd, off_t offset) {
    struct stat found;
    if (fd >= 0 && rights & PROT_WRITE && flags & MAP_SHARED && fd_is_watched(fd, &found)) {
        lock_log();
        note('m', found.st_ino, 0, 0, "", "", "", 0);
        unlock_log();
    }
    return (void *)syscall(SYS_mmap, at, size, rights, flags, fd, offset);
}
void *mmap(void *at, size_t size, int rights, int flags, int fd, off_t offset) { return mapped(at, size, rights, flags, fd, offset); }
void *mmap64(void *at, size_t size, int rights, int flags, int fd, off_t offset) { return mapped(at, size, rights, flags, fd, offset); }

/* --- what makes it last */

static int synced(int fd, long call) {
    struct stat found;
    if (!fd_is_watched(fd, &found)) return (int)syscall(call, fd);
    lock_log();
    note('b', found.st_ino, 0, 0, "", "", "", 0);
    unlock_log();
    int result = (int)syscall(call, fd), error = errno;
    lock_log();
    if (!result) note('e', found.st_ino, 0, 0, "", "", "", 0);
    unlock_log();
    errno = error;
    return result;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }
void sync(void) { /* nothing here may count on it */ }
