/* The simulated machine: names, files, open handles, faults; the table of os.h over them.
 *
 * One lock guards everything but the mapped bytes themselves, which a reader looks at while a write
 * changes them, as on a real machine. A file's bytes stay where they are until the next
 * os_sim_begin, even when the file was removed and closed: a mapping may outlive both. Called by
 * tests, through the table and through os_sim.h. */
#include "os/os_sim.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "os/os_sim_content.h"
#include "os/os_sim_journal.h"

enum { CLAIMS_MAX = 64 }; /* of a file, at once */

struct sim_handle;

struct sim_claim {
    const struct sim_handle *holder; /* NULL = free */
    uint32_t number;
};

struct sim_file {
    struct sim_content content; /* opened when first needed, kept over os_sim_begin */
    bool opened;
    const struct sim_handle *lockers[2]; /* by enum os_lock */
    struct sim_claim claims[CLAIMS_MAX];
};

struct sim_name {
    char text[OS_SIM_NAME_BYTES]; /* "" = free */
    uint32_t file;
};

struct sim_handle {
    struct os_file file;
    uint64_t boot; /* the machine's when it was opened */
    uint32_t number;
    bool writable;
};

static pthread_mutex_t machine_lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
    uint64_t boots; /* how often begun: tells handles of an earlier machine */
    struct sim_file files[OS_SIM_FILES_MAX];
    uint32_t file_count;
    struct sim_name names[OS_SIM_FILES_MAX]; /* the first file_count are in use or free again */
    size_t open_files;
    struct random_source random;
    uint8_t boot_id[16];
    uint64_t clock_ms;
    uint64_t calendar_s; /* when clock_ms was 0 */
    bool recording;
    uint64_t capacity;
    const char *network;
    uint64_t syncs_to_failure; /* 0 = none will fail */
    enum os_sim_policy policy;
} machine;

static void enter(void)
{
    int result = pthread_mutex_lock(&machine_lock);
    assert(result == 0);
    (void)result;
}

static void leave(void)
{
    int result = pthread_mutex_unlock(&machine_lock);
    assert(result == 0);
    (void)result;
}

static void record(enum os_sim_kind kind, uint32_t file, struct sim_range range, const void *data,
                   size_t data_bytes)
{
    struct os_sim_operation operation = {kind, file, range.offset, range.bytes, 0};
    if (machine.recording)
        os_sim_journal_add(operation, data, data_bytes);
}

/* ------------------------------------------------------------------------------ files and names */

/* The handle, or NULL (told) when it is one of an earlier machine. */
static struct sim_handle *handle_of(struct os_file *file)
{
    struct sim_handle *handle = (struct sim_handle *)file;
    if (handle->boot == machine.boots)
        return handle;
    fail(EDB_IO, "the simulated machine was switched off since this file was opened");
    return NULL;
}

static struct sim_content *content_of(const struct sim_handle *handle)
{
    return &machine.files[handle->number].content;
}

static struct sim_name *find_name(const char *text)
{
    for (uint32_t i = 0; i < machine.file_count; i++) {
        if (machine.names[i].text[0] != '\0' && strcmp(machine.names[i].text, text) == 0)
            return &machine.names[i];
    }
    return NULL;
}

static void set_name(struct sim_name *name, const char *text)
{
    assert(strlen(text) < OS_SIM_NAME_BYTES);
    memcpy(name->text, text, strlen(text) + 1);
}

/* A new empty file under a new name; its number, or UINT32_MAX when there is no room. */
static uint32_t add_file(const char *text)
{
    if (machine.file_count == OS_SIM_FILES_MAX || strlen(text) >= OS_SIM_NAME_BYTES)
        return UINT32_MAX;
    uint32_t number = machine.file_count;
    struct sim_file *file = &machine.files[number];
    if (!file->opened && !os_sim_content_open(&file->content))
        return UINT32_MAX;
    file->opened = true;
    memset(file->lockers, 0, sizeof file->lockers);
    memset(file->claims, 0, sizeof file->claims);
    os_sim_content_load(&file->content, NULL, 0);
    machine.file_count++;
    struct sim_name *name = machine.names;
    while (name->text[0] != '\0')
        name++;
    set_name(name, text);
    name->file = number;
    return number;
}

static edb_status open_handle(uint32_t number, bool writable, struct os_file **file_out)
{
    struct sim_handle *handle = memory_zeroed(1, sizeof *handle);
    if (handle == NULL)
        return memory_failed(sizeof *handle);
    handle->file.io = &os_sim;
    handle->boot = machine.boots;
    handle->number = number;
    handle->writable = writable;
    machine.open_files++;
    *file_out = &handle->file;
    return EDB_OK;
}

/* --------------------------------------------------------------------------------- the machine */

void os_sim_begin(uint64_t seed)
{
    enter();
    bool ready = os_sim_journal_clear();
    assert(ready);
    (void)ready;
    machine.boots++;
    for (uint32_t i = 0; i < machine.file_count; i++)
        machine.names[i].text[0] = '\0';
    machine.file_count = 0;
    machine.open_files = 0;
    machine.random.state = seed;
    for (size_t i = 0; i < sizeof machine.boot_id; i++)
        machine.boot_id[i] = (uint8_t)random_u64(&machine.random);
    machine.clock_ms = 1000;
    machine.calendar_s = OS_SIM_CALENDAR_S;
    machine.recording = true;
    machine.capacity = UINT64_MAX;
    machine.network = NULL;
    machine.syncs_to_failure = 0;
    leave();
}

void os_sim_end(void)
{
    enter();
    for (uint32_t i = 0; i < OS_SIM_FILES_MAX; i++) {
        if (machine.files[i].opened)
            os_sim_content_close(&machine.files[i].content);
    }
    uint64_t boots = machine.boots + 1;
    memset(&machine, 0, sizeof machine);
    machine.boots = boots;
    os_sim_journal_close();
    leave();
}

void os_sim_load(const char *name, const void *bytes, uint64_t count)
{
    enter();
    uint32_t number = add_file(name);
    assert(number != UINT32_MAX);
    os_sim_content_load(&machine.files[number].content, bytes, count);
    leave();
}

const uint8_t *os_sim_file(const char *name, uint64_t *count_out)
{
    enter();
    const struct sim_name *found = find_name(name);
    const struct sim_content *content = found == NULL ? NULL : &machine.files[found->file].content;
    *count_out = content == NULL ? 0 : content->size;
    leave();
    return content == NULL ? NULL : content->cache;
}

size_t os_sim_open_files(void)
{
    enter();
    size_t count = machine.open_files;
    leave();
    return count;
}

size_t os_sim_named_files(void)
{
    size_t count = 0;
    enter();
    for (uint32_t i = 0; i < machine.file_count; i++)
        count += machine.names[i].text[0] != '\0';
    leave();
    return count;
}

void os_sim_set_boot_id(const uint8_t id[16])
{
    enter();
    memcpy(machine.boot_id, id, sizeof machine.boot_id);
    leave();
}

void os_sim_set_network(const char *name)
{
    enter();
    machine.network = name;
    leave();
}

void os_sim_set_capacity(uint64_t bytes)
{
    enter();
    machine.capacity = bytes;
    leave();
}

void os_sim_fail_sync(uint64_t n, enum os_sim_policy policy)
{
    enter();
    machine.syncs_to_failure = n;
    machine.policy = policy;
    leave();
}

void os_sim_record(bool on)
{
    enter();
    machine.recording = on;
    leave();
}

void os_sim_mark(uint64_t number)
{
    enter();
    record(OS_SIM_MARK, 0, (struct sim_range){number, 0}, NULL, 0);
    leave();
}

size_t os_sim_position(void)
{
    enter();
    size_t count = os_sim_journal_count();
    leave();
    return count;
}

edb_status os_sim_journal_copy(struct os_sim_journal *journal_out)
{
    enter();
    edb_status status = os_sim_journal_take(journal_out);
    leave();
    return status;
}

/* --------------------------------------------------------------------------- the table: names */

static edb_status open_file(const char *path, bool writable, struct os_file **file_out)
{
    *file_out = NULL;
    enter();
    const struct sim_name *name = find_name(path);
    edb_status status = name == NULL ? fail(EDB_NOT_FOUND, "there is no file %s", path)
                                     : open_handle(name->file, writable, file_out);
    leave();
    return status;
}

/* With its last slash; 0 = none. */
static size_t directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/* `.<base>.<16 hex digits>.tmp` in the same directory, as on a real machine. */
static char *name_temporary(const char *path)
{
    size_t directory = directory_length(path);
    size_t room = strlen(path) + sizeof "..0123456789abcdef.tmp";
    char *name = memory_resize(NULL, room, 1);
    if (name != NULL)
        snprintf(name, room, "%.*s.%s.%016llx.tmp", (int)directory, path, path + directory,
                 (unsigned long long)random_u64(&machine.random));
    return name;
}

static edb_status create_temporary(const char *path, uint32_t mode, struct os_file **file_out,
                                   char **name_out)
{
    (void)mode;
    *file_out = NULL;
    enter();
    *name_out = name_temporary(path);
    edb_status status = *name_out == NULL ? memory_failed(strlen(path)) : EDB_OK;
    if (status == EDB_OK)
        status = open_handle(machine.file_count, true, file_out);
    if (status == EDB_OK && add_file(*name_out) == UINT32_MAX) {
        memory_free(*file_out);
        *file_out = NULL;
        machine.open_files--;
        status = fail(EDB_FULL, "the simulated machine has no room for another file");
    }
    if (status == EDB_OK) {
        machine.files[machine.file_count - 1].lockers[OS_LOCK_WRITER] =
            (const struct sim_handle *)*file_out;
        record(OS_SIM_CREATE, machine.file_count - 1, (struct sim_range){0, 0}, *name_out,
               strlen(*name_out) + 1);
    } else {
        memory_free(*name_out);
        *name_out = NULL;
    }
    leave();
    return status;
}

/* Whether `text` is `.<base>.<16 hex digits>.tmp` in the directory of `path`. */
static bool is_temporary_of(const char *text, const char *path)
{
    char wanted[OS_SIM_NAME_BYTES];
    size_t directory = directory_length(path);
    int head = snprintf(wanted, sizeof wanted, "%.*s.%s.", (int)directory, path, path + directory);
    return head > 0 && strncmp(text, wanted, (size_t)head) == 0 &&
           strspn(text + head, "0123456789abcdef") == 16 && strcmp(text + head + 16, ".tmp") == 0;
}

static uint32_t remove_leftovers(const char *path)
{
    uint32_t living = 0;
    enter();
    for (uint32_t i = 0; i < machine.file_count; i++) {
        struct sim_name *name = &machine.names[i];
        if (name->text[0] == '\0' || !is_temporary_of(name->text, path))
            continue;
        if (machine.files[name->file].lockers[OS_LOCK_WRITER] != NULL) {
            living++;
            continue;
        }
        record(OS_SIM_REMOVE, name->file, (struct sim_range){0, 0}, name->text,
               strlen(name->text) + 1);
        name->text[0] = '\0';
    }
    leave();
    return living;
}

/* Inside. */
static edb_status give_name(const char *temporary, const char *path)
{
    char both[2 * OS_SIM_NAME_BYTES];
    struct sim_name *name = find_name(temporary);
    struct sim_name *there = find_name(path);
    if (name == NULL || strlen(path) >= OS_SIM_NAME_BYTES)
        return fail(EDB_NOT_FOUND, "there is no file %s", temporary);
    size_t length = strlen(temporary) + 1;
    memcpy(both, temporary, length);
    memcpy(both + length, path, strlen(path) + 1);
    record(OS_SIM_PUBLISH, name->file, (struct sim_range){0, 0}, both, length + strlen(path) + 1);
    if (there != NULL)
        there->text[0] = '\0';
    set_name(name, path);
    return EDB_OK;
}

static edb_status publish(const char *temporary, const char *path)
{
    enter();
    edb_status status = find_name(path) != NULL ? fail(EDB_EXISTS, "%s is there already", path)
                                                : give_name(temporary, path);
    leave();
    return status;
}

static edb_status replace(const char *temporary, const char *path)
{
    enter();
    edb_status status = give_name(temporary, path);
    leave();
    return status;
}

static edb_status sync_directory(const char *path)
{
    (void)path;
    enter();
    record(OS_SIM_SYNC_DIRECTORY, 0, (struct sim_range){0, 0}, NULL, 0);
    leave();
    return EDB_OK;
}

static edb_status remove_file(const char *path)
{
    edb_status status = EDB_OK;
    enter();
    struct sim_name *name = find_name(path);
    if (name == NULL)
        status = fail(EDB_NOT_FOUND, "there is no file %s", path);
    else {
        record(OS_SIM_REMOVE, name->file, (struct sim_range){0, 0}, path, strlen(path) + 1);
        name->text[0] = '\0';
    }
    leave();
    return status;
}

static edb_status same_file(struct os_file *file, const char *path, bool *same_out,
                            uint64_t *bytes_out)
{
    enter();
    const struct sim_handle *handle = handle_of(file);
    const struct sim_name *name = find_name(path);
    *same_out = handle != NULL && name != NULL && name->file == handle->number;
    if (handle != NULL && bytes_out != NULL)
        *bytes_out = content_of(handle)->size;
    leave();
    return handle == NULL ? EDB_IO : EDB_OK;
}

static edb_status imitate(struct os_file *file, struct os_file *other)
{
    (void)file;
    (void)other;
    return EDB_OK;
}

static edb_status resolve(struct os_file *file, const char *path, bool links, char **path_out)
{
    (void)file;
    (void)links;
    *path_out = memory_copy_text(path, strlen(path));
    return *path_out != NULL ? EDB_OK : memory_failed(strlen(path));
}

static void drop_claims(struct sim_file *file, const struct sim_handle *holder, uint64_t first,
                        uint64_t last)
{
    for (size_t i = 0; i < CLAIMS_MAX; i++) {
        struct sim_claim *claim = &file->claims[i];
        if (claim->holder == holder && claim->number >= first && claim->number <= last)
            claim->holder = NULL;
    }
}

static void close_file(struct os_file *file)
{
    struct sim_handle *handle = (struct sim_handle *)file;
    enter();
    if (handle->boot == machine.boots) {
        struct sim_file *open = &machine.files[handle->number];
        for (int lock = OS_LOCK_WRITER; lock <= OS_LOCK_COMPACTION; lock++)
            if (open->lockers[lock] == handle)
                open->lockers[lock] = NULL;
        drop_claims(open, handle, 0, UINT32_MAX);
        machine.open_files--;
    }
    leave();
    memory_free(handle);
}

/* --------------------------------------------------------------------------- the table: bytes */

static edb_status file_size(struct os_file *file, uint64_t *bytes_out)
{
    enter();
    const struct sim_handle *handle = handle_of(file);
    if (handle != NULL)
        *bytes_out = content_of(handle)->size;
    leave();
    return handle == NULL ? EDB_IO : EDB_OK;
}

static edb_status read_batch(struct os_file *file, struct os_read *reads, size_t count)
{
    enter();
    const struct sim_handle *handle = handle_of(file);
    for (size_t i = 0; handle != NULL && i < count; i++) {
        struct os_read *read = &reads[i];
        const struct sim_content *content = content_of(handle);
        uint64_t there = read->offset < content->size ? content->size - read->offset : 0;
        read->got = there < read->bytes ? (size_t)there : read->bytes;
        if (read->got > 0)
            memcpy(read->buffer, content->cache + read->offset, read->got);
    }
    leave();
    return handle == NULL ? EDB_IO : EDB_OK;
}

static bool has_name(uint32_t number)
{
    for (uint32_t i = 0; i < machine.file_count; i++)
        if (machine.names[i].text[0] != '\0' && machine.names[i].file == number)
            return true;
    return false;
}

/* How far this file may reach: the device is shared by all that have a name. */
static uint64_t room_for(const struct sim_handle *handle)
{
    uint64_t others = 0;
    for (uint32_t i = 0; i < machine.file_count; i++) {
        if (i != handle->number && has_name(i))
            others += machine.files[i].content.size;
    }
    uint64_t room = machine.capacity > others ? machine.capacity - others : 0;
    return room < OS_SIM_FILE_BYTES_MAX ? room : OS_SIM_FILE_BYTES_MAX;
}

static void grow(const struct sim_handle *handle, uint64_t size)
{
    struct sim_content *content = content_of(handle);
    if (size <= content->size)
        return;
    record(OS_SIM_SIZE, handle->number, (struct sim_range){size, 0}, NULL, 0);
    content->size = size;
}

/* Writes what there is room for. False when that was not all. */
static bool write_span(const struct sim_handle *handle, uint64_t offset, const struct os_span *span)
{
    struct sim_content *content = content_of(handle);
    uint64_t size = content->size;
    uint64_t limit = room_for(handle);
    if (limit < size)
        limit = size;
    size_t count = span->count;
    if (offset >= limit || count > limit - offset)
        count = offset >= limit ? 0 : (size_t)(limit - offset);
    if (count == 0)
        return span->count == 0;
    grow(handle, offset + count);
    struct sim_range range = os_sim_content_write(content, offset, span->bytes, count);
    record(OS_SIM_WRITE, handle->number, range, content->cache + range.offset, (size_t)range.bytes);
    return count == span->count;
}

static edb_status write_spans(struct os_file *file, uint64_t offset, const struct os_span *spans,
                              size_t count)
{
    edb_status status = EDB_OK;
    enter();
    const struct sim_handle *handle = handle_of(file);
    assert(handle == NULL || handle->writable);
    for (size_t i = 0; handle != NULL && status == EDB_OK && i < count; i++) {
        if (!write_span(handle, offset, &spans[i]))
            status = fail(EDB_FULL, "the simulated device is full at offset %llu",
                          (unsigned long long)offset);
        offset += spans[i].count;
    }
    leave();
    return handle == NULL ? EDB_IO : status;
}

static edb_status reserve(struct os_file *file, uint64_t offset, uint64_t bytes)
{
    edb_status status = EDB_OK;
    enter();
    const struct sim_handle *handle = handle_of(file);
    assert(handle == NULL || handle->writable);
    uint64_t room = handle == NULL ? 0 : room_for(handle);
    if (handle != NULL && (offset > room || bytes > room - offset))
        status = fail(EDB_FULL, "the simulated device has no room for %llu bytes at %llu",
                      (unsigned long long)bytes, (unsigned long long)offset);
    else if (handle != NULL)
        grow(handle, offset + bytes);
    leave();
    return handle == NULL ? EDB_IO : status;
}

static edb_status sync_file(struct os_file *file)
{
    edb_status status = EDB_OK;
    enter();
    const struct sim_handle *handle = handle_of(file);
    if (handle == NULL)
        status = EDB_IO;
    else if (machine.syncs_to_failure > 0 && --machine.syncs_to_failure == 0) {
        os_sim_content_lose(content_of(handle), machine.policy);
        record(OS_SIM_SYNC_FAILED, handle->number, (struct sim_range){0, 0}, NULL, 0);
        status = fail(EDB_IO, "the simulated device failed to sync");
    } else {
        os_sim_content_sync(content_of(handle));
        record(OS_SIM_SYNC, handle->number, (struct sim_range){0, 0}, NULL, 0);
    }
    leave();
    return status;
}

static edb_status map(struct os_file *file, uint64_t offset, uint64_t bytes,
                      const uint8_t **address_out)
{
    assert(offset % 65536 == 0);
    (void)bytes;
    *address_out = NULL;
    edb_status status = EDB_IO;
    enter();
    const struct sim_handle *handle = handle_of(file);
    if (handle != NULL && offset < OS_SIM_FILE_BYTES_MAX) {
        *address_out = content_of(handle)->cache + offset;
        status = EDB_OK;
    } else if (handle != NULL)
        status = fail(EDB_NO_MEMORY, "a simulated file has %llu bytes of address space",
                      (unsigned long long)OS_SIM_FILE_BYTES_MAX);
    leave();
    return status;
}

static void will_sync(struct os_file *file, uint64_t offset, uint64_t bytes)
{
    (void)file;
    (void)offset;
    (void)bytes;
}

static void will_need(struct os_file *file, uint64_t offset, uint64_t bytes)
{
    (void)file;
    (void)offset;
    (void)bytes;
}

static void unmap(struct os_file *file, const uint8_t *address, uint64_t bytes)
{
    (void)file;
    (void)address;
    (void)bytes;
}

static edb_status read_device(struct os_file *file, uint64_t offset, void *buffer, size_t bytes)
{
    edb_status status = EDB_OK;
    enter();
    const struct sim_handle *handle = handle_of(file);
    const struct sim_content *content = handle == NULL ? NULL : content_of(handle);
    if (content == NULL)
        status = EDB_IO;
    else if (offset > content->size || bytes > content->size - offset)
        status = fail(EDB_IO, "the file ends before offset %llu", (unsigned long long)offset);
    else
        os_sim_content_read_device(content, offset, buffer, bytes);
    leave();
    return status;
}

/* ------------------------------------------------------------------ the table: lock and machine */

static edb_status try_lock(struct os_file *file, enum os_lock lock)
{
    edb_status status = EDB_OK;
    enter();
    const struct sim_handle *handle = handle_of(file);
    assert(handle == NULL || handle->writable);
    struct sim_file *open = handle == NULL ? NULL : &machine.files[handle->number];
    if (open == NULL)
        status = EDB_IO;
    else if (open->lockers[lock] != NULL && open->lockers[lock] != handle)
        status = fail(EDB_BUSY, "another writer holds the file");
    else
        open->lockers[lock] = handle;
    leave();
    return status;
}

static void unlock(struct os_file *file, enum os_lock lock)
{
    enter();
    const struct sim_handle *handle = (const struct sim_handle *)file;
    if (handle->boot == machine.boots && machine.files[handle->number].lockers[lock] == handle)
        machine.files[handle->number].lockers[lock] = NULL;
    leave();
}

/* The claim of that number, or else a free place for it; NULL when there is none. */
static struct sim_claim *find_claim(struct sim_file *file, uint32_t number)
{
    struct sim_claim *room = NULL;
    for (size_t i = 0; i < CLAIMS_MAX; i++) {
        struct sim_claim *claim = &file->claims[i];
        if (claim->holder == NULL)
            room = claim;
        else if (claim->number == number)
            return claim;
    }
    return room;
}

static edb_status try_claim(struct os_file *file, uint32_t number, bool *taken_out)
{
    *taken_out = false;
    enter();
    const struct sim_handle *handle = handle_of(file);
    struct sim_claim *claim =
        handle == NULL ? NULL : find_claim(&machine.files[handle->number], number);
    if (claim != NULL && claim->holder == NULL)
        *claim = (struct sim_claim){handle, number};
    *taken_out = claim != NULL && claim->holder == handle;
    leave();
    return claim != NULL ? EDB_OK : fail(EDB_IO, "the machine has no more than 64 claims");
}

static void give_claims(struct os_file *file, uint32_t first, uint64_t count)
{
    enter();
    const struct sim_handle *handle = (const struct sim_handle *)file;
    if (handle->boot == machine.boots && count > 0)
        drop_claims(&machine.files[handle->number], handle, first, first + count - 1);
    leave();
}

static edb_status free_bytes(struct os_file *file, uint64_t *bytes_out)
{
    enter();
    const struct sim_handle *handle = handle_of(file);
    *bytes_out = 0;
    if (handle != NULL)
        *bytes_out = machine.capacity == UINT64_MAX ? UINT64_MAX
                                                    : room_for(handle) - content_of(handle)->size;
    leave();
    return handle == NULL ? EDB_IO : EDB_OK;
}

static bool is_network(struct os_file *file, const char **name_out)
{
    (void)file;
    enter();
    *name_out = machine.network;
    leave();
    return *name_out != NULL;
}

static void describe_writers(struct os_file *file, char *text, size_t bytes)
{
    (void)file;
    snprintf(text, bytes, "another handle of this process");
}

static void boot_id(uint8_t id_out[16])
{
    enter();
    memcpy(id_out, machine.boot_id, sizeof machine.boot_id);
    leave();
}

static edb_status fill_random(void *buffer, size_t bytes)
{
    uint8_t *at = buffer;
    enter();
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(random_u64(&machine.random) >> 56);
    leave();
    return EDB_OK;
}

static uint64_t monotonic_ms(void)
{
    enter();
    uint64_t now = machine.clock_ms;
    leave();
    return now;
}

static uint64_t calendar_s(void)
{
    enter();
    uint64_t now = machine.calendar_s + machine.clock_ms / 1000;
    leave();
    return now;
}

void os_sim_set_calendar(uint64_t seconds)
{
    enter();
    machine.calendar_s = seconds - machine.clock_ms / 1000;
    leave();
}

/* Time passes only here; other threads get a chance to run in it. */
static void sleep_ms(uint32_t ms)
{
    enter();
    machine.clock_ms += ms;
    leave();
    sched_yield();
}

const struct os_io os_sim = {
    .open = open_file,
    .create_temporary = create_temporary,
    .remove_leftovers = remove_leftovers,
    .publish = publish,
    .replace = replace,
    .sync_directory = sync_directory,
    .remove = remove_file,
    .close = close_file,
    .size = file_size,
    .read_batch = read_batch,
    .write = write_spans,
    .sync = sync_file,
    .reserve = reserve,
    .map = map,
    .will_sync = will_sync,
    .will_need = will_need,
    .unmap = unmap,
    .try_lock = try_lock,
    .unlock = unlock,
    .try_claim = try_claim,
    .give_claims = give_claims,
    .same_file = same_file,
    .resolve = resolve,
    .imitate = imitate,
    .free_bytes = free_bytes,
    .read_device = read_device,
    .is_network = is_network,
    .describe_writers = describe_writers,
    .boot_id = boot_id,
    .random = fill_random,
    .monotonic_ms = monotonic_ms,
    .calendar_s = calendar_s,
    .sleep_ms = sleep_ms,
};
