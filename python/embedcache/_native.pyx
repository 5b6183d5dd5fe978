# SPDX-License-Identifier: Apache-2.0
# cython: language_level=3, boundscheck=False, wraparound=False, binding=True
"""The C library as Python types: handles, borrowed records and the fast path, and no policy.

`Handle` is what `EmbedCache` (cache.py) stands on. What is called often is here, so that it costs
no layer of Python: get, get_many, set, set_many, `in`, len. The rest are thin calls.

What is always true:

1. A `Record` or `Vectors` pins the file's mapping; arrays over it have it as their base, so they
   outlive the cache, its closing, deletes and compactions.
2. A call that releases the GIL stands between `enter` and `leave` of its `Connection`, which says
   how it is closed beside them; calls that keep the GIL see it open or closed, never between.
3. A handle does not survive fork(): `reach` notices by the count of forks that this process
   descends from, the hot `get` by the library's answer, and both connect anew.
4. Nothing borrowed from a Python object is kept beyond the call, and keys are taken as a tuple
   first, for another thread may change a list.
"""

cimport cython
cimport numpy as cnp
from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_Check, PyBytes_FromStringAndSize, PyBytes_GET_SIZE)
from cpython.exc cimport PyErr_CheckSignals, PyErr_Clear
from cpython.ref cimport Py_INCREF
from cpython.pythread cimport PyThread_get_thread_ident
from cpython.unicode cimport PyUnicode_Check, PyUnicode_DecodeUTF8
from libc.stdint cimport UINT32_MAX, UINT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from posix.unistd cimport usleep

from embedcache._edb cimport *

import json
import math

import numpy

from embedcache.convert import (
    as_matrix, as_rows, as_value, as_vector, check_finite, integer, json_of, seconds_of)
from embedcache.errors import (
    ClosedError, ForkedError, InvalidError, MissingFileError, NotFoundError, error_of)

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *bytes)  # NULL: see utf8

cdef extern from "pthread.h":
    int pthread_atfork(void (*prepare)() noexcept nogil, void (*parent)() noexcept nogil,
                       void (*child)() noexcept nogil)

cdef extern from "numpy/arrayobject.h":
    cnp.ndarray PyArray_NewFromDescr(type kind, cnp.dtype dtype, int dimensions,
                                     cnp.npy_intp *shape, cnp.npy_intp *strides, void *data,
                                     int flags, object base)

cnp.import_array()

cdef cnp.dtype FLOAT32 = cnp.dtype("float32")
cdef cnp.dtype UINT8 = cnp.dtype("uint8")
cdef cnp.dtype INT64 = cnp.dtype("int64")
cdef enum:
    CLOSE_NAP_US = 200
    DIMS_UNKNOWN = -1
    TRANSACTION_BYTES = 128 << 20  # of a set_many; the library allows twice as much
    RECORD_BYTES = 256  # what a record takes beside its key, vector, text and metadata, at most

# Forks that made this process.
cdef int forks = 0


cdef void count_fork() noexcept nogil:
    global forks
    forks += 1


if pthread_atfork(NULL, NULL, count_fork) != 0:
    raise MemoryError("no memory to watch for fork()")

VERSION = edb_version().decode()
OPEN_READ_ONLY = EDB_OPEN_READ_ONLY
OPEN_SNAPSHOT = EDB_OPEN_SNAPSHOT


include "_arguments.pxi"
include "_record.pxi"


# How a connection is closed. Its fields change only under the GIL.
#
# open     `open` is set. `enter` counts a call into `users`, `leave` out of it. Iterations,
#          transactions and claims link themselves while they are counted, and stay linked as long
#          as they hold anything of the library.
# closing  `close` has cleared `open`: `enter` refuses, so nobody is counted and nothing is linked
#          any more. It waits until `users` is 0, looking at signals; an exception of their handlers
#          opens it again. Then it ends what is linked, each before the file.
# closed   `db` and `space` are NULL, and edb_close runs, without the GIL, beside nobody.
#
# In a child `users` counts threads of the parent, which never come out here: nobody waits for them.
# Python runs inside of a counted call only where it looks at signals (`Watch`): what is called from
# there may not close, for it would wait for itself.
@cython.final
cdef class Connection:
    """An open file and its space, in the process that opened it. All zero: closed."""

    cdef edb *db
    cdef edb_space *space  # NULL: not there yet
    cdef int64_t dims
    cdef int forks  # when it was opened
    cdef bint open
    cdef Py_ssize_t users
    cdef unsigned long watched_by  # the thread whose counted call looks at signals now, or 0
    cdef void *dependents  # the first Dependent of a list, or NULL; not owned

    def __dealloc__(self):
        with nogil:
            edb_close(self.db)

    cdef inline int enter(self) except -1:
        if not self.open:
            raise ClosedError("the cache was closed: open it again")
        self.users += 1
        return 0

    cdef inline void leave(self) noexcept:
        self.users -= 1

    cdef int close(self) except -1:
        cdef edb *db = self.db
        cdef edb_status status
        if not self.open:
            return 0
        if self.watched_by == PyThread_get_thread_ident() and self.forks == forks:
            raise InvalidError("the cache is closed by a signal handler inside of its own call: "
                               "raise an exception there, and close where that is caught")
        self.open = False
        self.wait_for_users()
        while self.dependents != NULL:
            (<Dependent>self.dependents).end()
        self.wait_for_users()  # claims may be given back by another thread at this moment
        self.db = NULL
        self.space = NULL
        with nogil:
            status = edb_close(db)
        return must(status)

    cdef int wait_for_users(self) except -1:
        try:
            while self.users > 0 and self.forks == forks:
                with nogil:
                    usleep(CLOSE_NAP_US)
                PyErr_CheckSignals()
        except:
            self.open = True
            raise
        return 0


cdef class Dependent:
    """What holds something of the library that has to end before its connection."""

    cdef Connection connection
    cdef void *before  # neighbours in the list of the connection; not owned
    cdef void *behind
    cdef bint linked

    # Called while it is counted.
    cdef void link(self, Connection connection) noexcept:
        self.connection = connection
        self.behind = connection.dependents
        if self.behind != NULL:
            (<Dependent>self.behind).before = <void *>self
        connection.dependents = <void *>self
        self.linked = True

    cdef void unlink(self) noexcept:
        if not self.linked:
            return
        if self.before == NULL:
            self.connection.dependents = self.behind
        else:
            (<Dependent>self.before).behind = self.behind
        if self.behind != NULL:
            (<Dependent>self.behind).before = self.before
        self.before = self.behind = NULL
        self.linked = False

    # Gives back what it holds, and unlinks it.
    cdef void end(self) noexcept:
        self.unlink()


cdef Connection CLOSED = Connection.__new__(Connection)


cdef class Handle:
    """One space of one file. See EmbedCache, which it is the half of that must be fast.

    Parameters
    ----------
    path : bytes
        Of the file.
    flags, durability, busy_wait_ms, file_mode : int
        As in `edb_open_options`.
    spec : tuple
        Name (bytes), model (bytes), revision (bytes), dimension (int), metric (int), role (int) of
        the space; all but the name may be None: as it is, or the default in a new space.
    """

    cdef Connection connection
    cdef tuple opening
    cdef tuple spec
    cdef object __weakref__

    def __cinit__(self):
        self.connection = CLOSED

    def __init__(self, path, flags, durability, busy_wait_ms, file_mode, spec):
        self.opening = (path, flags, durability, busy_wait_ms, file_mode)
        self.spec = spec
        self.connection = self.connect()

    # Opens the file and, as far as that can be done now, the space.
    cdef Connection connect(self):
        cdef edb_open_options options
        memset(&options, 0, sizeof(options))
        options.struct_size = sizeof(options)
        path, options.flags, options.durability, options.busy_wait_ms, mode = self.opening
        options.file_mode = mode
        cdef Connection connection = Connection.__new__(Connection)
        cdef const char *name = path
        cdef edb_status status
        with nogil:
            status = edb_open(name, &options, &connection.db)
        if status == EDB_NOT_FOUND:
            raise MissingFileError(edb_error_detail().decode("utf-8", "replace"))
        must(status)
        connection.forks = forks
        connection.dims = DIMS_UNKNOWN
        connection.open = True
        self.find_space(connection)
        cdef uint32_t reads = options.flags & (EDB_OPEN_READ_ONLY | EDB_OPEN_SNAPSHOT)
        if connection.space == NULL and self.spec[3] is not None and not reads:
            self.open_space(connection, self.spec[3])
        return connection

    # Opens the space if it is there, with what was not stated taken from it.
    cdef int find_space(self, Connection connection) except -1:
        cdef edb_space *space
        cdef edb_status status
        cdef const char *name = self.spec[0]
        connection.enter()
        try:
            with nogil:
                status = edb_space_find(connection.db, name, &space)
            if status != EDB_NOT_FOUND:
                must(status)
                self.open_found(connection, space)
        finally:
            connection.leave()
        return 0

    cdef int open_found(self, Connection connection, edb_space *space) except -1:
        cdef edb_space_spec there
        cdef edb_status status
        memset(&there, 0, sizeof(there))
        there.struct_size = sizeof(there)
        must(edb_space_describe(space, &there))
        _, model, revision, dims, metric, role = self.spec
        if model is not None:
            there.model = model
        if revision is not None:
            there.revision = revision
        if dims is not None:
            there.dims = dims
        if metric is not None:
            there.metric = metric
        if role is not None:
            there.role = role
        with nogil:
            status = edb_space_open(connection.db, &there, &space)
        must(status)
        connection.dims = there.dims
        connection.space = space
        return 0

    cdef int open_space(self, Connection connection, int64_t dims) except -1:
        cdef edb_space_spec spec
        cdef edb_space *space
        cdef edb_status status
        memset(&spec, 0, sizeof(spec))
        spec.struct_size = sizeof(spec)
        name, model, revision, _, metric, role = self.spec
        spec.name = name
        spec.model = model or b""
        spec.revision = revision or b""
        spec.dims = dims
        spec.metric = metric or 0
        spec.role = role or 0
        connection.enter()
        with nogil:
            status = edb_space_open(connection.db, &spec, &space)
        connection.leave()
        must(status)
        connection.dims = dims
        connection.space = space
        return 0

    # The open connection of this process; its space is NULL as long as nobody has created it.
    cdef Connection reach(self):
        cdef Connection connection = self.connection
        if not connection.open:
            raise ClosedError(f"{self!r}: open it again")
        if connection.forks != forks:
            return self.connect_child(connection)
        if connection.space == NULL:
            self.find_space(connection)
        return connection

    # Of threads that come first in a child at once, one gives all the connection.
    cdef Connection connect_child(self, Connection inherited):
        cdef Connection connection = self.connect()
        if self.connection is inherited and inherited.open:
            self.connection = connection
        return self.reach()

    def close(self):
        """Close the file; see EmbedCache.close."""
        self.connection.close()

    @property
    def closed(self):
        """Whether it was closed."""
        return not self.connection.open

    @property
    def dimension(self):
        """Numbers in a vector; None as long as the space is not there and nobody has said."""
        cdef Connection connection = self.connection
        if connection.open:
            connection = self.reach()
        return connection.dims if connection.space != NULL else self.spec[3]

    # --- reading ---

    cdef int look_up(self, Connection connection, object key, Record record) except 1:
        cdef edb_key name
        cdef edb_status status
        borrow_key(key, &name)
        connection.enter()
        with nogil:
            status = edb_view_key(connection.space, name.data, name.bytes, &record.view)
        connection.leave()
        record.opaque = connection.dims == 0
        return status

    # The record of a key, or None.
    cdef Record find(self, object key):
        cdef Record record = Record.__new__(Record)
        cdef Connection connection = self.connection
        cdef int status = self.look_up(connection, key, record)
        if status == EDB_FORKED or connection.space == NULL:
            connection = self.reach()
            status = EDB_NOT_FOUND
            if connection.space != NULL:
                status = self.look_up(connection, key, record)
        if status == EDB_OK:
            return record
        if status != EDB_NOT_FOUND:
            must(<edb_status>status)
        return None

    def get(self, key, default=None):
        """Return the vector of a key, without a copy.

        Parameters
        ----------
        key : str or bytes
        default : object, optional
            Returned when the key is not there.

        Returns
        -------
        numpy.ndarray or None
            Shape (dimension,), float32, read-only: it looks into the file's mapping, and stays
            valid and unchanged as long as you have it. `default` when the key is not there or has
            expired. In a space of dimension 0: the value, uint8.

        Raises
        ------
        CorruptError
            The record is damaged.
        """
        cdef Record record = self.find(key)
        return borrowed(record) if record is not None else default

    def get_record(self, key):
        """Return what is stored under a key with all that stands beside it, or None.

        Parameters
        ----------
        key : str or bytes

        Returns
        -------
        Record or None
        """
        return self.find(key)

    def get_many(self, keys, out=None):
        """Copy the vectors of many keys into one array, by one call of the library.

        Parameters
        ----------
        keys : iterable of str or bytes
            n keys.
        out : numpy.ndarray, optional
            Shape (n, dimension), float32, C order, writable: filled in place of a new array.

        Returns
        -------
        vectors : numpy.ndarray
            Shape (n, dimension), float32. Rows of missing keys are zero.
        found : numpy.ndarray
            Shape (n,), bool.

        Raises
        ------
        CorruptError
            A record is damaged.
        InvalidError
            `out` has another shape, or the space has dimension 0.
        """
        cdef tuple names = as_keys(keys)
        cdef Connection connection = self.reach()
        cdef Py_ssize_t n = len(names)
        if connection.space == NULL:
            return zeros_for(out, n, self.spec[3]), numpy.zeros(n, bool)
        cdef cnp.ndarray vectors = matrix_for(out, n, connection.dims)
        cdef cnp.ndarray found = numpy.empty(n, bool)
        cdef float *floats = <float *>cnp.PyArray_DATA(vectors)
        cdef uint8_t *flags = <uint8_t *>cnp.PyArray_DATA(found)
        cdef Keys lent_keys = Keys(names)
        cdef edb_status status
        connection.enter()
        with nogil:
            status = edb_get_many(connection.space, lent_keys.first, n, floats, flags)
        connection.leave()
        must(status)
        return vectors, found

    def get_rows(self, rows, out=None):
        """Copy the vectors of many rows into one array, as `get_many` does by keys.

        Parameters
        ----------
        rows : array_like
            n row numbers.
        out : numpy.ndarray, optional
            As in `get_many`.

        Returns
        -------
        vectors : numpy.ndarray
            Shape (n, dimension), float32. Rows that are gone or were never given are zero.
        found : numpy.ndarray
            Shape (n,), bool.
        """
        cdef cnp.ndarray numbers = as_rows(rows)
        cdef Connection connection = self.reach()
        cdef Py_ssize_t n = cnp.PyArray_SIZE(numbers)
        if connection.space == NULL:
            return zeros_for(out, n, self.spec[3]), numpy.zeros(n, bool)
        cdef cnp.ndarray vectors = matrix_for(out, n, connection.dims)
        cdef cnp.ndarray found = numpy.empty(n, bool)
        cdef const uint64_t *asked = <const uint64_t *>cnp.PyArray_DATA(numbers)
        cdef float *floats = <float *>cnp.PyArray_DATA(vectors)
        cdef uint8_t *flags = <uint8_t *>cnp.PyArray_DATA(found)
        cdef edb_status status
        connection.enter()
        with nogil:
            status = edb_get_rows(connection.space, asked, n, floats, flags)
        connection.leave()
        must(status)
        return vectors, found

    def get_row(self, row):
        """Return the record of a row, or None when it is gone or was never given."""
        cdef Connection connection = self.reach()
        cdef uint64_t number
        cdef Record record = Record.__new__(Record)
        cdef edb_status status
        row = integer("row", row, -math.inf, math.inf)
        if connection.space == NULL or not 0 <= row <= UINT64_MAX:
            return None
        number = row
        connection.enter()
        with nogil:
            status = edb_view_row(connection.space, number, &record.view)
        connection.leave()
        if status == EDB_NOT_FOUND:
            return None
        must(status)
        record.opaque = connection.dims == 0
        return record

    def records(self):
        """Iterate over all records in row order, as they are now: later writes change nothing.

        Returns
        -------
        iterator of Record

        Raises
        ------
        CorruptError
            At a damaged record; the next call goes on behind it.
        """
        return Records(self.reach())

    def vectors(self):
        """Lend all vectors with their row numbers, without a copy.

        Returns
        -------
        Vectors
        """
        cdef Connection connection = self.reach()
        cdef Vectors vectors = Vectors.__new__(Vectors)
        cdef edb_status status
        vectors.dims = max(0, connection.dims)
        if connection.space == NULL:
            return vectors
        connection.enter()
        with nogil:
            status = edb_vectors(connection.space, &vectors.held)
        connection.leave()
        must(status)
        return vectors

    # For each query: records (None: deleted just now), scores, whether every row was considered.
    def _search(self, cnp.ndarray queries, uint32_t k, threshold):
        cdef Connection connection = self.reach()
        cdef edb_search_options options
        cdef edb_result *results
        cdef edb_status status
        cdef Py_ssize_t n = queries.shape[0]
        cdef const float *data = <const float *>cnp.PyArray_DATA(queries)
        if connection.space == NULL:
            return [([], numpy.empty(0, FLOAT32), True)] * n
        check_size(connection, queries.shape[1])
        memset(&options, 0, sizeof(options))
        options.struct_size = sizeof(options)
        options.k = k
        options.has_threshold = threshold is not None
        options.threshold = 0.0 if threshold is None else threshold
        connection.enter()
        with nogil:
            status = edb_search(connection.space, data, n, &options, &results)
        connection.leave()
        must(status)
        try:
            return [self.hits_of(&results[i]) for i in range(n)]
        finally:
            edb_free(results)

    cdef tuple hits_of(self, const edb_result *result):
        cdef cnp.ndarray scores = numpy.empty(result.count, FLOAT32)
        cdef float *data = <float *>cnp.PyArray_DATA(scores)
        for i in range(result.count):
            data[i] = result.hits[i].score
        records = [self.get_row(result.hits[i].row) for i in range(result.count)]
        return records, scores, result.complete != 0

    def __contains__(self, key):
        cdef edb_key name
        cdef edb_status status
        cdef Connection connection = self.reach()
        borrow_key(key, &name)
        if connection.space == NULL:
            return False
        connection.enter()
        with nogil:
            status = edb_contains(connection.space, name.data, name.bytes)
        connection.leave()
        if status != EDB_NOT_FOUND:
            must(status)
        return status == EDB_OK

    # --- writing ---

    # The connection with its space, which is created for these vectors when it is not there. They
    # are of its size, or, with `dims` 0, values: somebody may have created it since that was asked.
    cdef Connection writable(self, cnp.ndarray vectors, int64_t dims):
        cdef Connection connection = self.reach()
        if connection.space == NULL:
            check_finite(vectors)
            self.open_space(connection, vectors.shape[vectors.ndim - 1])
        check_size(connection, 0 if dims == 0 else vectors.shape[vectors.ndim - 1])
        return connection

    # What a vector has to have, as far as that is known.
    cdef int64_t expected_dims(self) except -2:
        cdef Connection connection = self.reach()
        if connection.space == NULL and self.spec[3] is not None:
            return self.spec[3]
        return connection.dims

    def set(self, key, vector, *, text=None, metadata=None, ttl=None, cost=0, pinned=False):
        """Store a vector under a key, replacing what was there.

        Parameters
        ----------
        key : str or bytes
            A str is its UTF-8 bytes: "a" and b"a" are one key.
        vector : array_like
            Shape (dimension,), of any float or integer type; stored as float32. In a space of
            dimension 0: bytes.
        text : str, optional
            Stored beside it, up to 16 MiB.
        metadata : dict, optional
            Stored beside it as JSON, up to 1 MiB.
        ttl : float or datetime.timedelta, optional
            Seconds until it expires, rounded up; math.inf: never. Without: as the limits say.
        cost : int, optional
            What it cost to compute, in a unit of yours.
        pinned : bool, optional
            Never evicted.

        Raises
        ------
        InvalidError
            Another shape, a NaN or infinity, too long a text, metadata that is no JSON.
        BusyError, FullError, ReadOnlyError, StorageError
            As their pages say; nothing was stored but where StorageError says so.
        """
        cdef edb_key name
        cdef edb_put_options options
        cdef edb_status status
        cdef int64_t dims = self.expected_dims()
        cdef cnp.ndarray array = as_vector(vector, dims) if dims != 0 else as_value(vector)
        borrow_key(key, &name)
        alive = describe(&options, text, metadata, ttl, cost, pinned)
        cdef Connection connection = self.writable(array, dims)
        if dims == 0:
            options.value_bytes = cnp.PyArray_SIZE(array)
        cdef const void *data = cnp.PyArray_DATA(array)
        connection.enter()
        with nogil:
            status = edb_put(connection.space, name.data, name.bytes, data, &options)
        connection.leave()
        must(status)

    def set_many(self, keys, vectors, *, texts=None, metadata=None, ttl=None, cost=0, pinned=False):
        """Store many vectors, by one call of the library and in one transaction: all or none.

        More than 128 MiB goes in as several transactions, in order: after an error, such as a full
        device, the first of them may be there. Numbers and lengths are checked before anything is
        stored; metadata whose JSON the library refuses, such as an integer over 64 bits, is met
        only in its own transaction.

        Parameters
        ----------
        keys : iterable of str or bytes
            n keys. Of equal ones the last wins.
        vectors : array_like
            Shape (n, dimension).
        texts : sequence of str or None, optional
            n texts.
        metadata : sequence of dict or None, optional
            n dicts.
        ttl : float or datetime.timedelta, optional
            As in `set`, for all.
        cost : int or sequence of int, optional
            One for all, or n.
        pinned : bool, optional
            For all.

        Returns
        -------
        numpy.ndarray
            Shape (n,), int64: the row numbers.

        Raises
        ------
        InvalidError
            As for `set`, and when there are not n of everything; the message names the row.
        """
        cdef Connection connection
        cdef tuple names = as_keys(keys)
        cdef Py_ssize_t n = len(names)
        cdef int64_t dims = self.expected_dims()
        cdef cnp.ndarray matrix = as_matrix(vectors, n, dims)
        cdef Beside beside = Beside(n, texts, metadata, ttl, cost, pinned)
        cdef cnp.ndarray rows = numpy.empty(n, INT64)
        if n == 0:
            return rows
        cdef Keys lent_keys = Keys(names)
        cdef size_t vector_bytes = matrix.shape[1] * sizeof(float)
        if at_once(lent_keys.first, beside.options, n, vector_bytes) < n:
            check_finite(matrix)
            beside.check(n)
        connection = self.writable(matrix, dims)
        cdef const char *data = <const char *>cnp.PyArray_DATA(matrix)
        cdef uint64_t *numbers = <uint64_t *>cnp.PyArray_DATA(rows)
        cdef edb_put_options *options
        cdef edb_status status = EDB_OK
        cdef Py_ssize_t done = 0, count = 0
        connection.enter()
        with nogil:
            while done < n and status == EDB_OK:
                options = NULL if beside.options == NULL else beside.options + done
                count = at_once(lent_keys.first + done, options, n - done, vector_bytes)
                status = edb_put_many(connection.space, lent_keys.first + done, count,
                                      data + done * vector_bytes, options, numbers + done)
                done += count
        connection.leave()
        if status != EDB_OK and done > count:
            detail = edb_error_detail().decode("utf-8", "replace")
            raise error_of(status, f"{detail}; the first {done - count} are stored, and rows are "
                                   "counted from there")
        must(status)
        return rows

    def delete(self, key):
        """Delete a key. Return whether it was there."""
        cdef edb_key name
        cdef edb_status status
        cdef Connection connection = self.reach()
        borrow_key(key, &name)
        if connection.space == NULL:
            return False
        connection.enter()
        with nogil:
            status = edb_delete(connection.space, name.data, name.bytes)
        connection.leave()
        if status != EDB_NOT_FOUND:
            must(status)
        return status == EDB_OK

    def _transaction(self, durability):
        return Transaction(self, self.reach(), durability)

    # Whether it was opened to store anything.
    def _takes_writes(self):
        return not self.opening[1] & (EDB_OPEN_READ_ONLY | EDB_OPEN_SNAPSHOT)

    # Says who computes which of these keys; None as long as the space is not there.
    def _claim(self, keys):
        cdef Connection connection = self.reach()
        return None if connection.space == NULL else Claims(self, connection, keys)

    # --- looking after it ---

    # The connection with its space, which has to be there.
    cdef Connection settled(self):
        cdef Connection connection = self.reach()
        if connection.space == NULL:
            raise NotFoundError(
                f"space {self.spec[0].decode()!r} is not there yet: "
                "say its dimension, or set a vector")
        return connection

    # Model, revision, dimension, metric and role, as they stand in the file or were stated.
    def _spec(self):
        cdef Connection connection = self.connection
        cdef edb_space_spec spec
        if connection.open:
            connection = self.reach()
        if connection.space == NULL:
            return self.spec[1:]
        memset(&spec, 0, sizeof(spec))
        spec.struct_size = sizeof(spec)
        must(edb_space_describe(connection.space, &spec))
        return spec.model, spec.revision, spec.dims, spec.metric, spec.role

    def __len__(self):
        return self._space_stats()["live"]

    def _space_stats(self):
        cdef edb_space_stats stats
        cdef edb_status status
        cdef Connection connection = self.reach()
        memset(&stats, 0, sizeof(stats))
        if connection.space == NULL:
            return stats
        connection.enter()
        with nogil:
            status = edb_space_stats_get(connection.space, &stats)
        connection.leave()
        must(status)
        return stats

    def _file_stats(self):
        cdef edb_stats stats
        cdef edb_status status
        cdef Connection connection = self.reach()
        memset(&stats, 0, sizeof(stats))
        connection.enter()
        with nogil:
            status = edb_stats_get(connection.db, &stats)
        connection.leave()
        must(status)
        return stats

    # The limits of the space, or of the whole file.
    def _limits(self, bint whole_file):
        cdef edb_limits limits
        cdef Connection connection = self.reach()
        memset(&limits, 0, sizeof(limits))
        if whole_file or connection.space != NULL:
            must(edb_limits_get(connection.db, NULL if whole_file else connection.space, &limits))
        return limits

    def _set_limits(self, bint whole_file, edb_limits limits):
        cdef Connection connection = self.reach() if whole_file else self.settled()
        cdef edb_space *space = NULL if whole_file else connection.space
        cdef edb_status status
        limits.struct_size = sizeof(limits)
        connection.enter()
        with nogil:
            status = edb_limits_set(connection.db, space, &limits)
        connection.leave()
        must(status)

    def sync(self):
        """Make everything that was stored in the file so far survive a power failure."""
        cdef Connection connection = self.reach()
        cdef edb_status status
        connection.enter()
        with nogil:
            status = edb_sync(connection.db)
        connection.leave()
        must(status)

    def maintain(self):
        """Do at once what commits do in steps: evict what is over a limit, compact when due."""
        cdef Connection connection = self.reach()
        cdef edb_status status
        connection.enter()
        with nogil:
            status = edb_maintain(connection.db)
        connection.leave()
        must(status)

    def _compact(self, uint64_t bytes_per_s):
        cdef Connection connection = self.reach()
        cdef edb_compact_options options
        cdef edb_compact_report report
        cdef edb_status status
        cdef Watch watch = Watch.__new__(Watch, connection)
        memset(&options, 0, sizeof(options))
        memset(&report, 0, sizeof(report))
        options.struct_size = sizeof(options)
        options.bytes_per_s = bytes_per_s
        options.progress = see_signals
        options.arg = <void *>watch
        connection.enter()
        with nogil:
            status = edb_compact(connection.db, &options, &report)
        connection.leave()
        if watch.raised is not None:
            raise watch.raised
        must(status)
        return report

    # What edb_verify reports, and its findings as (offset, bytes, message).
    def _verify(self):
        cdef Connection connection = self.reach()
        cdef edb_verify_report report
        cdef edb_status status
        findings = []
        cdef void *arg = <void *>findings
        memset(&report, 0, sizeof(report))
        connection.enter()
        with nogil:
            status = edb_verify(connection.db, keep_finding, arg, &report)
        connection.leave()
        if status != EDB_CORRUPT:
            must(status)
        return report, findings


cdef int check_size(Connection connection, int64_t dims) except -1:
    if connection.dims != dims:
        raise InvalidError(f"the vector has {dims} numbers; the space has {connection.dims}")
    return 0


# A counted call that looks at signals, and the exception of their handler, kept for the caller.
@cython.final
cdef class Watch:
    cdef Connection connection
    cdef object raised

    def __cinit__(self, Connection connection):
        self.connection = connection

    cdef int look_at_signals(self) noexcept:
        self.connection.watched_by = PyThread_get_thread_ident()
        try:
            PyErr_CheckSignals()
            return 0
        except BaseException as error:
            self.raised = error
            return 1
        finally:
            self.connection.watched_by = 0


# Lets a signal stop what takes long.
cdef int see_signals(void *arg, uint64_t done, uint64_t total) noexcept nogil:
    with gil:
        return (<Watch>arg).look_at_signals()


cdef void keep_finding(void *arg, uint64_t offset, uint64_t count,
                       const char *message) noexcept nogil:
    with gil:
        (<list>arg).append((offset, count, message.decode("utf-8", "replace")))


include "_given.pxi"
include "_claims.pxi"
