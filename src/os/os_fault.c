/* The failing table: each function counts its call, asks whether it is the one to fail, and else
 * passes it on. Called by tests through the table and through os_fault.h. */
#include "os/os_fault.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"

struct fault_file {
    struct os_file file;
    struct os_file *inner;
};

static const struct os_io *_Atomic inner_io;
static _Atomic uint64_t calls[OS_FAULT_CLASSES + 1];
static _Atomic uint64_t strikes;
static _Atomic bool struck[OS_FAULT_CLASSES];
static _Atomic uint64_t open_files;
static struct os_fault_plan plan; /* changed only while no call runs */

static const char *const class_names[OS_FAULT_CLASSES] = {
    "open",
    "open for writing",
    "create",
    "publish",
    "sync of the directory",
    "remove",
    "write",
    "sync",
    "reserve",
    "lock",
    "size",
    "read",
    "read of the device",
    "map",
    "look at the path",
    "random",
};

void os_fault_begin(const struct os_io *inner)
{
    const struct os_fault_plan none = {OS_FAULT_ANY, OS_FAULT_IO, 0, false};
    assert(atomic_load(&open_files) == 0);
    atomic_store(&inner_io, inner);
    os_fault_arm(&none);
}

void os_fault_arm(const struct os_fault_plan *next)
{
    for (size_t i = 0; i <= OS_FAULT_CLASSES; i++)
        atomic_store(&calls[i], 0);
    for (size_t i = 0; i < OS_FAULT_CLASSES; i++)
        atomic_store(&struck[i], false);
    atomic_store(&strikes, 0);
    plan = *next;
}

uint64_t os_fault_calls(enum os_fault_class class)
{
    return atomic_load(&calls[class]);
}

uint64_t os_fault_strikes(void)
{
    return atomic_load(&strikes);
}

uint64_t os_fault_write_calls(void)
{
    uint64_t sum = 0;
    for (int class = OS_FAULT_OPEN_WRITABLE; class <= OS_FAULT_LOCK; class ++)
        sum += atomic_load(&calls[class]);
    return sum;
}

uint64_t os_fault_open_files(void)
{
    return atomic_load(&open_files);
}

/* --------------------------------------------------------------------------------- the decision */

static bool knows_full(enum os_fault_class class)
{
    return class == OS_FAULT_CREATE || class == OS_FAULT_PUBLISH || class == OS_FAULT_WRITE ||
           class == OS_FAULT_RESERVE;
}

/* A call that knows neither a full device nor a half write fails alike with every kind. */
bool os_fault_differs(enum os_fault_kind kind)
{
    if (kind != OS_FAULT_FULL)
        return kind != OS_FAULT_IO && atomic_load(&struck[OS_FAULT_WRITE]);
    for (int class = 0; class < OS_FAULT_CLASSES; class ++)
        if (atomic_load(&struck[class]) && knows_full((enum os_fault_class) class))
            return true;
    return false;
}

/* Counts a call. EDB_OK, or the status that it fails with. */
static edb_status count_call(enum os_fault_class class)
{
    uint64_t of_class = atomic_fetch_add(&calls[class], 1) + 1;
    uint64_t of_any = atomic_fetch_add(&calls[OS_FAULT_ANY], 1) + 1;
    uint64_t number = plan.class == OS_FAULT_ANY ? of_any : of_class;
    if (plan.number == 0 || (plan.class != OS_FAULT_ANY && plan.class != class))
        return EDB_OK;
    if (number != plan.number && !(plan.for_ever && number > plan.number))
        return EDB_OK;
    atomic_fetch_add(&strikes, 1);
    atomic_store(&struck[class], true);
    bool full = plan.kind == OS_FAULT_FULL || plan.kind == OS_FAULT_SHORT_FULL;
    if (full && knows_full(class))
        return fail(EDB_FULL, "injected: no space, at %s %llu", class_names[class],
                    (unsigned long long)of_class);
    return fail(EDB_IO, "injected: failure of %s %llu", class_names[class],
                (unsigned long long)of_class);
}

static const struct os_io *inner(void)
{
    return atomic_load(&inner_io);
}

static struct os_file *inner_of(struct os_file *file)
{
    return file == NULL ? NULL : ((struct fault_file *)file)->inner;
}

/* ------------------------------------------------------------------------------------ the table */

static edb_status wrap(struct os_file *opened, struct os_file **file_out)
{
    struct fault_file *fault = memory_zeroed(1, sizeof *fault);
    if (fault == NULL) {
        inner()->close(opened);
        return memory_failed(sizeof *fault);
    }
    fault->file.io = &os_fault;
    fault->inner = opened;
    atomic_fetch_add(&open_files, 1);
    *file_out = &fault->file;
    return EDB_OK;
}

static edb_status open_file(const char *path, bool writable, struct os_file **file_out)
{
    struct os_file *opened;
    *file_out = NULL;
    edb_status status = count_call(writable ? OS_FAULT_OPEN_WRITABLE : OS_FAULT_OPEN);
    if (status == EDB_OK)
        status = inner()->open(path, writable, &opened);
    return status == EDB_OK ? wrap(opened, file_out) : status;
}

static edb_status create_temporary(const char *path, uint32_t mode, struct os_file **file_out,
                                   char **name_out)
{
    struct os_file *opened;
    *file_out = NULL;
    *name_out = NULL;
    edb_status status = count_call(OS_FAULT_CREATE);
    if (status == EDB_OK)
        status = inner()->create_temporary(path, mode, &opened, name_out);
    if (status != EDB_OK)
        return status;
    status = wrap(opened, file_out);
    if (status != EDB_OK) {
        inner()->remove(*name_out);
        memory_free(*name_out);
        *name_out = NULL;
    }
    return status;
}

static uint32_t remove_leftovers(const char *path)
{
    return inner()->remove_leftovers(path);
}

static edb_status publish(const char *temporary, const char *path)
{
    edb_status status = count_call(OS_FAULT_PUBLISH);
    return status == EDB_OK ? inner()->publish(temporary, path) : status;
}

static edb_status replace(const char *temporary, const char *path)
{
    edb_status status = count_call(OS_FAULT_PUBLISH);
    return status == EDB_OK ? inner()->replace(temporary, path) : status;
}

static edb_status sync_directory(const char *path)
{
    edb_status status = count_call(OS_FAULT_SYNC_DIRECTORY);
    return status == EDB_OK ? inner()->sync_directory(path) : status;
}

static edb_status remove_file(const char *path)
{
    edb_status status = count_call(OS_FAULT_REMOVE);
    return status == EDB_OK ? inner()->remove(path) : status;
}

static void close_file(struct os_file *file)
{
    inner()->close(inner_of(file));
    atomic_fetch_sub(&open_files, 1);
    memory_free(file);
}

static edb_status file_size(struct os_file *file, uint64_t *bytes_out)
{
    edb_status status = count_call(OS_FAULT_SIZE);
    return status == EDB_OK ? inner()->size(inner_of(file), bytes_out) : status;
}

static edb_status read_batch(struct os_file *file, struct os_read *reads, size_t count)
{
    edb_status status = count_call(OS_FAULT_READ);
    return status == EDB_OK ? inner()->read_batch(inner_of(file), reads, count) : status;
}

/* Writes the first half of the spans' bytes; whether that works does not matter to the test. */
static void write_half(struct os_file *file, uint64_t offset, const struct os_span *spans,
                       size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += spans[i].count;
    size_t left = total / 2;
    for (size_t i = 0; i < count && left > 0; i++) {
        struct os_span span = {spans[i].bytes, spans[i].count < left ? spans[i].count : left};
        inner()->write(inner_of(file), offset, &span, 1);
        offset += span.count;
        left -= span.count;
    }
}

static edb_status write_spans(struct os_file *file, uint64_t offset, const struct os_span *spans,
                              size_t count)
{
    edb_status status = count_call(OS_FAULT_WRITE);
    if (status == EDB_OK)
        return inner()->write(inner_of(file), offset, spans, count);
    if (plan.kind != OS_FAULT_SHORT && plan.kind != OS_FAULT_SHORT_FULL)
        return status;
    write_half(file, offset, spans, count);
    return fail(status, "injected: half of a write at %llu", (unsigned long long)offset);
}

static edb_status sync_file(struct os_file *file)
{
    edb_status status = count_call(OS_FAULT_SYNC);
    return status == EDB_OK ? inner()->sync(inner_of(file)) : status;
}

static edb_status reserve(struct os_file *file, uint64_t offset, uint64_t bytes)
{
    edb_status status = count_call(OS_FAULT_RESERVE);
    return status == EDB_OK ? inner()->reserve(inner_of(file), offset, bytes) : status;
}

static edb_status map(struct os_file *file, uint64_t offset, uint64_t bytes,
                      const uint8_t **address_out)
{
    *address_out = NULL;
    edb_status status = count_call(OS_FAULT_MAP);
    return status == EDB_OK ? inner()->map(inner_of(file), offset, bytes, address_out) : status;
}

static edb_status map_joined(struct os_file *file, const struct os_range *ranges, size_t count,
                             const uint8_t **address_out)
{
    *address_out = NULL;
    edb_status status = count_call(OS_FAULT_MAP);
    if (status == EDB_OK && inner()->map_joined == NULL)
        status = fail(EDB_NO_MEMORY, "nothing is joined here");
    return status == EDB_OK ? inner()->map_joined(inner_of(file), ranges, count, address_out)
                            : status;
}

static void will_sync(struct os_file *file, uint64_t offset, uint64_t bytes)
{
    inner()->will_sync(inner_of(file), offset, bytes);
}

static void will_need(struct os_file *file, uint64_t offset, uint64_t bytes)
{
    inner()->will_need(inner_of(file), offset, bytes);
}

static void unmap(struct os_file *file, const uint8_t *address, uint64_t bytes)
{
    inner()->unmap(inner_of(file), address, bytes);
}

static edb_status try_lock(struct os_file *file, enum os_lock lock)
{
    edb_status status = count_call(OS_FAULT_LOCK);
    return status == EDB_OK ? inner()->try_lock(inner_of(file), lock) : status;
}

static void unlock(struct os_file *file, enum os_lock lock)
{
    inner()->unlock(inner_of(file), lock);
}

static edb_status try_claim(struct os_file *file, uint32_t number, bool *taken_out)
{
    *taken_out = false;
    edb_status status = count_call(OS_FAULT_LOCK);
    return status == EDB_OK ? inner()->try_claim(inner_of(file), number, taken_out) : status;
}

static void give_claims(struct os_file *file, uint32_t first, uint64_t count)
{
    inner()->give_claims(inner_of(file), first, count);
}

static edb_status resolve(struct os_file *file, const char *path, bool links, char **path_out)
{
    *path_out = NULL;
    edb_status status = count_call(OS_FAULT_SAME_FILE);
    return status == EDB_OK ? inner()->resolve(inner_of(file), path, links, path_out) : status;
}

static edb_status imitate(struct os_file *file, struct os_file *other)
{
    edb_status status = count_call(OS_FAULT_CREATE);
    return status == EDB_OK ? inner()->imitate(inner_of(file), inner_of(other)) : status;
}

static edb_status free_bytes(struct os_file *file, uint64_t *bytes_out)
{
    *bytes_out = 0;
    edb_status status = count_call(OS_FAULT_SIZE);
    return status == EDB_OK ? inner()->free_bytes(inner_of(file), bytes_out) : status;
}

static edb_status same_file(struct os_file *file, const char *path, bool *same_out,
                            uint64_t *bytes_out)
{
    *same_out = false;
    edb_status status = count_call(OS_FAULT_SAME_FILE);
    return status == EDB_OK ? inner()->same_file(inner_of(file), path, same_out, bytes_out)
                            : status;
}

static edb_status read_device(struct os_file *file, uint64_t offset, void *buffer, size_t bytes)
{
    edb_status status = count_call(OS_FAULT_READ_DEVICE);
    return status == EDB_OK ? inner()->read_device(inner_of(file), offset, buffer, bytes) : status;
}

static bool is_network(struct os_file *file, const char **name_out)
{
    return inner()->is_network(inner_of(file), name_out);
}

static void describe_writers(struct os_file *file, char *text, size_t bytes)
{
    inner()->describe_writers(inner_of(file), text, bytes);
}

static void boot_id(uint8_t id_out[16])
{
    inner()->boot_id(id_out);
}

static edb_status fill_random(void *buffer, size_t bytes)
{
    edb_status status = count_call(OS_FAULT_RANDOM);
    return status == EDB_OK ? inner()->random(buffer, bytes) : status;
}

static uint64_t monotonic_ms(void)
{
    return inner()->monotonic_ms();
}

static uint64_t calendar_s(void)
{
    return inner()->calendar_s();
}

static void sleep_ms(uint32_t ms)
{
    inner()->sleep_ms(ms);
}

const struct os_io os_fault = {
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
    .map_joined = map_joined,
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
