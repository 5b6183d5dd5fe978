#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds which calls may be made where: system calls only in src/os/, the heap only through src/base/memory.c, some
functions of the C library nowhere.

Two readings. The sources are searched for the names (all C folders). The compiled objects of src/ are asked what they
need from outside: only what PURE, or the folder's own line in ALLOWED, lists may appear, so that a new dependency is
a decision and not an accident. `check_banned.py --self-test` proves that each rule can fail.
"""
import os
import re
import subprocess
import sys
import tempfile

import c_source

# Unsafe, or a hidden allocation, or a hidden state: nowhere, tests and programs included.
NOWHERE = "strcpy strcat sprintf vsprintf gets atoi atol atof strtok alloca tmpnam mktemp".split()

# A library does not do this to its process, not even in os/.
NOT_IN_LIBRARY = """printf fprintf vprintf vfprintf puts putchar fputs fputc fwrite perror exit _exit quick_exit abort
    setlocale signal sigaction sigprocmask setenv putenv system popen raise kill""".split()

HEAP = "malloc calloc realloc free strdup strndup asprintf vasprintf aligned_alloc posix_memalign".split()

SYSTEM = """open openat creat close read write pread pwrite preadv pwritev readv writev mmap munmap mremap madvise
    fsync fdatasync msync syncfs fcntl flock lockf ftruncate truncate fallocate posix_fallocate rename renameat link
    unlink unlinkat symlink readlink stat fstat lstat fstatat statfs fstatfs access mkdir rmdir opendir readdir
    closedir fopen fclose fread fgets fseek fileno dup dup2 pipe ioctl getpid getppid gettid fork vfork execv execve
    waitpid clock_gettime gettimeofday time clock nanosleep clock_nanosleep usleep sleep sched_yield getenv
    getrandom getentropy rand random srand sysconf getpagesize syscall isatty""".split()
SYSTEM_PREFIXES = ("pthread_", "sem_", "mtx_", "thrd_", "io_uring_")

SYSTEM_HEADERS = re.compile(
    r"^(sys/.*|unistd|fcntl|pthread|signal|dirent|time|threads|locale|sched|semaphore|linux/.*|poll)\.h$")

# What an object of src/ may need: functions that look at their arguments and nothing else.
PURE = set("""memcpy memmove memset memcmp memchr memrchr memmem strlen strnlen strcmp strncmp strchr strrchr strstr
    strspn strcspn snprintf vsnprintf strtod strtof strtol strtoul strtoll strtoull qsort bsearch
    sqrt sqrtf fabs fabsf floor floorf ceil ceilf fma fmaf fmin fminf fmax fmaxf log logf log2 log2f exp expf pow powf
    lround lroundf round roundf rint rintf nearbyint nearbyintf ldexp ldexpf frexp frexpf isfinite
    __assert_fail __stack_chk_fail __errno_location _GLOBAL_OFFSET_TABLE_ __tls_get_addr _DYNAMIC
    __popcountdi2 __udivti3 __umodti3 __multi3""".split())
ALLOWED = {
    "base/memory.c": set(HEAP),
    "base/checksum.c": {"__cpu_model"},
    "kernel": {"__cpu_model", "__cpu_indicator_init", "__cpu_features2"},
    "codec": re.compile(r"json_|crypto_generichash|crypto_hash_sha256|sodium_init|sodium_memzero|ZSTD_|jansson_"),
}


def allowed(path, symbol):
    """Whether the object of src/<path> may need `symbol` from outside of the library."""
    plain = re.sub(r"^__(isoc\d+_)?(\w+?)(_chk)?$", r"\2", symbol)
    if symbol in PURE or plain in PURE:
        return True
    folder = path.split("/")[0]
    if folder == "os":
        return plain not in NOT_IN_LIBRARY + NOWHERE + HEAP
    rule = ALLOWED.get(path, ALLOWED.get(folder, set()))
    return bool(rule.match(symbol)) if isinstance(rule, re.Pattern) else plain in rule or symbol in rule


def banned_names(path):
    """{name: reason} for a source file."""
    banned = {name: "is used nowhere" for name in NOWHERE}
    if not path.startswith("src/"):
        return banned
    banned.update({name: "is no business of a library" for name in NOT_IN_LIBRARY})
    if path != "src/base/memory.c":
        banned.update({name: "belongs to src/base/memory.c: use base/memory.h" for name in HEAP})
    if not path.startswith("src/os/"):
        banned.update({name: "is a system call: it belongs to src/os/" for name in SYSTEM})
    return banned


def check_source(path, text):
    """Findings of one C file, by its text."""
    code = c_source.blank(text)
    # A static function or a member of a table may have the name of a system call; a call through it is none.
    own = set(re.findall(r"^static\b[^;{=()]*?\b(\w+)\(", code, re.MULTILINE))
    banned, findings = banned_names(path), []
    inner = path.startswith("src/") and not path.startswith("src/os/")
    for match in re.finditer(r"(?<![\w.>])(\w+)\s*\(", code):
        name = match.group(1)
        reason = banned.get(name)
        if reason is None and inner and name.startswith(SYSTEM_PREFIXES):
            reason = "is a system call: it belongs to src/os/"
        if reason and name not in own:
            findings.append("%s:%d: %s %s" % (path, c_source.line_of(code, match.start()), name, reason))
    if inner:
        for match in re.finditer(r"^[ \t]*#[ \t]*include[ \t]*<([^>]+)>", code, re.MULTILINE):
            if SYSTEM_HEADERS.match(match.group(1)):
                findings.append("%s:%d: <%s> belongs to src/os/" % (
                    path, c_source.line_of(code, match.start()), match.group(1)))
    return findings


def symbols(path, kind):
    """Names in an object file: kind "--undefined-only" or "--defined-only"."""
    output = subprocess.run(["nm", "-g", kind, "--format=posix", path], capture_output=True, text=True, check=True)
    return {line.split()[0] for line in output.stdout.splitlines() if line.strip()}


def check_objects(directory):
    """Findings in the objects of src/ below `directory` (that of CMake's object library)."""
    objects = c_source.list_files(directory, ("src",), (".c.o",))
    defined = set()
    for path in objects:
        defined |= symbols(os.path.join(directory, path), "--defined-only")
    findings = []
    for path in objects:
        source = path[len("src/"):-len(".o")]
        for symbol in sorted(symbols(os.path.join(directory, path), "--undefined-only") - defined):
            if not allowed(source, symbol):
                findings.append("src/%s:1: needs %s from outside, which tools/check_banned.py does not allow here"
                                % (source, symbol))
    return findings


def is_ours(root, source):
    return os.path.isfile(os.path.join(root, "src", source))


def check(root):
    findings = []
    for path in c_source.list_files(root, c_source.C_FOLDERS, (".c", ".h")):
        findings += check_source(path, c_source.read(root, path))
    objects = os.path.join(root, os.environ.get("EDB_BUILD", "build"), "CMakeFiles", "edb_objects.dir")
    if os.path.isdir(objects):
        # Objects of sources that are gone may be left in the build directory.
        findings += [finding for finding in check_objects(objects) if is_ours(root, finding.split(":")[0][4:])]
    elif root == c_source.ROOT:
        print("check_banned: objects were not looked at: there is no build yet")
    return findings


def prove():
    os.environ["EDB_BUILD"] = "no-build"
    good = {
        "src/os/os.c": "int f(void)\n{\n    return close(open(path, 0));\n}\n",
        "src/base/memory.c": "void g(void)\n{\n    free(malloc(1));\n}\n",
        "src/db/db.c": "static int read(int a)\n{\n    return read(a) + io->open(1) + io.close(2); /* exit(1) */\n}\n",
        "cli/main.c": '#include <unistd.h>\nvoid h(void)\n{\n    printf("gets(x)");\n}\n',
    }
    c_source.self_test("check_banned", good, [
        ({"src/db/db.c": "int f(void)\n{\n    return open(path, 0);\n}\n"}, "open is a system call"),
        ({"src/db/db.c": "int f(void)\n{\n    return pthread_self();\n}\n"}, "pthread_self is a system call"),
        ({"src/db/db.c": "#include <unistd.h>\n"}, "<unistd.h> belongs"),
        ({"src/os/os.c": "void f(void)\n{\n    free(p);\n}\n"}, "free belongs to"),
        ({"src/os/os.c": "void f(void)\n{\n    exit(1);\n}\n"}, "no business of a library"),
        ({"tests/t.c": "void f(void)\n{\n    strcpy(a, b);\n}\n"}, "strcpy is used nowhere"),
    ], check)
    prove_objects()


def prove_objects():
    """An object that needs what it may not is found; the same need is no finding in os/."""
    with tempfile.TemporaryDirectory() as root:
        for folder in ("db", "os"):
            os.makedirs(os.path.join(root, "src", folder))
            subprocess.run(["cc", "-x", "c", "-c", "-", "-o", os.path.join(root, "src", folder, "a.c.o")],
                           input="int getpid(void); int %s_f(void) { return getpid(); }" % folder, text=True, check=True)
        if check_objects(root) != [
                "src/db/a.c:1: needs getpid from outside, which tools/check_banned.py does not allow here"]:
            raise SystemExit("check_banned: self-test: the objects are not looked at")


if __name__ == "__main__":
    sys.exit(c_source.run("check_banned", sys.argv[1:], check, prove))
