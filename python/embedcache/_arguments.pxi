# SPDX-License-Identifier: Apache-2.0
#
# From what Python gives to what the library takes: statuses, keys, what stands beside a vector.
# Part of _native.pyx.


cdef int must(edb_status status) except -1:
    if status != EDB_OK:
        raise error_of(status, edb_error_detail().decode("utf-8", "replace"))
    return 0


# The UTF-8 bytes of a str, which it keeps as long as it lives.
cdef inline const char *utf8(object text, size_t *bytes_out) except NULL:
    cdef Py_ssize_t count = 0
    cdef const char *data = PyUnicode_AsUTF8AndSize(text, &count)
    if data == NULL:
        PyErr_Clear()
        raise InvalidError(f"{text!r:.60} has no UTF-8: it holds lone surrogates")
    bytes_out[0] = count
    return data


cdef inline int borrow_key(object key, edb_key *out) except -1:
    if PyUnicode_Check(key):
        out.data = utf8(key, &out.bytes)
    elif PyBytes_Check(key):
        out.data = PyBytes_AS_STRING(key)
        out.bytes = PyBytes_GET_SIZE(key)
    else:
        raise TypeError(f"a key is str or bytes, not {type(key).__name__}: {key!r:.60}")
    return 0


# The keys of a tuple, lent to the library.
@cython.final
@cython.no_gc_clear
cdef class Keys:
    cdef tuple names
    cdef edb_key *first

    def __cinit__(self, tuple names):
        cdef Py_ssize_t n = len(names)
        self.names = names
        self.first = <edb_key *>calloc(n + 1, sizeof(edb_key))
        if self.first == NULL:
            raise MemoryError(f"no memory for {n} keys")
        for i in range(n):
            borrow_key(names[i], &self.first[i])

    def __dealloc__(self):
        free(self.first)


cdef tuple as_keys(object keys):
    if isinstance(keys, (str, bytes)):
        raise TypeError(f"keys is one {type(keys).__name__}, {keys!r:.60}; put it into a list")
    return tuple(keys)


# Says in `out` what stands beside a vector; returns what has to live as long as `out` is used.
cdef object describe(edb_put_options *out, object text, object metadata, object ttl, object cost,
                     object pinned):
    memset(out, 0, sizeof(edb_put_options))
    out.struct_size = sizeof(edb_put_options)
    if text is not None:
        if not PyUnicode_Check(text):
            raise TypeError(f"a text is str, not {type(text).__name__}: {text!r:.60}")
        out.text = utf8(text, &out.text_bytes)
    encoded = None
    if metadata is not None:
        encoded = json_of(metadata)
        out.metadata_json = utf8(encoded, &out.metadata_bytes)
    if ttl is not None:
        out.ttl_s = seconds_of(ttl)
    out.cost = integer("cost", cost, 0, UINT32_MAX)
    out.pinned = 1 if pinned else 0
    return text, encoded


# What stands beside each of n vectors, as the library takes it: NULL where nothing does.
@cython.final
cdef class Beside:
    cdef edb_put_options *options
    cdef list alive

    def __cinit__(self, Py_ssize_t n, texts, metadata, ttl, cost, pinned):
        if texts is None and metadata is None and ttl is None and not pinned and cost == 0:
            return
        texts = for_each(n, "texts", texts)
        metadata = for_each(n, "metadata", metadata)
        costs = [cost] * n if isinstance(cost, int) else for_each(n, "cost", cost)
        self.options = <edb_put_options *>calloc(n + 1, sizeof(edb_put_options))
        if self.options == NULL:
            raise MemoryError(f"no memory for what stands beside {n} vectors")
        self.alive = [
            describe(&self.options[i], texts[i], metadata[i], ttl, costs[i], pinned)
            for i in range(n)
        ]

    def __dealloc__(self):
        free(self.options)

    # Refuses what is too long, as the library would, but by its place among all.
    cdef int check(self, Py_ssize_t n) except -1:
        cdef Py_ssize_t i
        if self.options == NULL:
            return 0
        for i in range(n):
            check_bytes(i, "text", self.options[i].text_bytes, EDB_TEXT_BYTES_MAX)
            check_bytes(i, "metadata", self.options[i].metadata_bytes, EDB_METADATA_BYTES_MAX)
        return 0


cdef int check_bytes(Py_ssize_t row, str what, size_t count, size_t most) except -1:
    if count > most:
        raise InvalidError(
            f"row {row} of the batch: {what} of {count} bytes; at most {most} are possible")
    return 0


cdef object for_each(Py_ssize_t n, str what, object values):
    values = [None] * n if values is None else list(values)
    if len(values) != n:
        raise InvalidError(f"there are {n} keys but {len(values)} {what}: give one for each")
    return values


# How many of n records go into one transaction: at least one.
cdef Py_ssize_t at_once(const edb_key *keys, const edb_put_options *options, Py_ssize_t n,
                        size_t vector_bytes) noexcept nogil:
    cdef size_t total = 0
    cdef Py_ssize_t i
    for i in range(n):
        total += RECORD_BYTES + keys[i].bytes + vector_bytes
        if options != NULL:
            total += options[i].text_bytes + options[i].metadata_bytes
        if total > TRANSACTION_BYTES:
            return max(1, i)
    return n


# The array that n vectors are copied into: a new one, or the caller's.
cdef cnp.ndarray matrix_for(object out, Py_ssize_t n, int64_t dims):
    if out is None:
        return numpy.empty((n, dims), FLOAT32)
    if not isinstance(out, numpy.ndarray) or out.dtype != FLOAT32:
        raise TypeError("out is no float32 array")
    if out.shape != (n, dims) or not out.flags.c_contiguous or not out.flags.writeable:
        raise InvalidError(
            f"out has shape {out.shape}; it has to be ({n}, {dims}), C order, writable")
    return out


# Zeros for n vectors of a space that is not there; its dimension is what was said, or what the
# caller's array has.
cdef cnp.ndarray zeros_for(object out, Py_ssize_t n, object dims):
    if dims is None:
        dims = out.shape[1] if isinstance(out, numpy.ndarray) and out.ndim == 2 else 0
    cdef cnp.ndarray vectors = matrix_for(out, n, dims)
    vectors.fill(0)
    return vectors
