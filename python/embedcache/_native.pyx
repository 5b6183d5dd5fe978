# SPDX-License-Identifier: Apache-2.0
# cython: language_level=3, boundscheck=False, wraparound=False, binding=True
"""The C library as Python types: handles, borrowed records and the fast path, and no policy.

`Handle` is what `EmbedCache` (cache.py) stands on. What is called often is here, so that it costs
no layer of Python: get, get_many, set, set_many, `in`, len. The rest are thin calls.

What is always true:

1. A `Record` or `Vectors` pins the file's mapping; arrays over it have it as their base, so they
   outlive the cache, its closing, deletes and compactions.
2. A call holds its `Connection` and counts itself in `users` while the GIL is released; `close`
   waits until nobody does, for nothing may run on a handle while it is being closed.
3. A handle does not survive fork(): `reach` notices by the process id, the hot `get` by the
   library's answer, and both connect anew.
4. Nothing borrowed from a Python object is kept beyond the call, and keys are taken as a tuple
   first, for another thread may change a list.
"""

cimport cython
cimport numpy as cnp
from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_Check, PyBytes_FromStringAndSize, PyBytes_GET_SIZE)
from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport Py_INCREF
from cpython.unicode cimport PyUnicode_Check, PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from posix.unistd cimport getpid, usleep

from embedcache._edb cimport *

import weakref

import numpy

from embedcache.convert import as_matrix, as_value, as_vector, json_of, seconds_of
from embedcache.errors import ClosedError, CorruptError, InvalidError, MissingFileError, error_of

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *bytes) except NULL

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

VERSION = edb_version().decode()
OPEN_READ_ONLY = EDB_OPEN_READ_ONLY
OPEN_SNAPSHOT = EDB_OPEN_SNAPSHOT


# --- records --------------------------------------------------------------------------------------


@cython.final
@cython.freelist(64)
cdef class Record:
    """One record of a cache, as it was when it was asked for.

    It is borrowed from the file and stays valid as long as somebody has it, also over deletes,
    compactions and the closing of the cache. The base of the array that `get` returns is one.
    """

    cdef edb_view view
    cdef bint opaque

    def __dealloc__(self):
        edb_view_release(&self.view)

    def __repr__(self):
        return f"<Record {self.key!r}, row {self.row}>"

    @property
    def key(self):
        """The key: str where its bytes are UTF-8, else bytes. A long key is its digest."""
        return key_of(&self.view)

    @property
    def row(self):
        """The row number of the record in its space."""
        return self.view.row

    @property
    def vector(self):
        """The vector, shape (dimension,), float32, read-only and without a copy."""
        return borrowed(self)

    @property
    def text(self):
        """The text beside the vector, or None. Bytes that are no UTF-8 become lone surrogates."""
        if not self.view.has_text:
            return None
        return PyUnicode_DecodeUTF8(self.view.text, self.view.text_bytes, "surrogateescape")

    @property
    def metadata_json(self):
        """The metadata as compact JSON, or None."""
        cdef char *json
        must(edb_view_metadata_json(&self.view, &json))
        if json == NULL:
            return None
        try:
            return json.decode()
        finally:
            edb_free(json)

    @property
    def put_time(self):
        """When it was put, in seconds since 1970."""
        return self.view.put_s

    @property
    def expiry_time(self):
        """When it expires, in seconds since 1970, or None."""
        return self.view.expiry_s if self.view.expiry_s else None

    @property
    def cost(self):
        """What was given as its cost, else 0."""
        return self.view.cost

    @property
    def pinned(self):
        """Whether it is never evicted."""
        return self.view.pinned != 0


cdef object key_of(const edb_view *view):
    cdef const char *data = <const char *>view.key
    try:
        if view.key_form == EDB_KEY_BYTES:
            return PyUnicode_DecodeUTF8(data, view.key_bytes, NULL)
    except UnicodeDecodeError:
        pass
    return PyBytes_FromStringAndSize(data, view.key_bytes)


# The bytes of a record as an array that has the record as its base: not writable, and for ever so,
# because the base lends no buffer that is.
cdef cnp.ndarray borrowed(Record record):
    cdef cnp.dtype dtype = UINT8 if record.opaque else FLOAT32
    cdef cnp.npy_intp count = record.view.vector_bytes
    if not record.opaque:
        count >>= 2
    return lent(record, dtype, 1, &count, record.view.vector)


cdef cnp.ndarray lent(object owner, cnp.dtype dtype, int dimensions, cnp.npy_intp *shape,
                      const void *data):
    Py_INCREF(dtype)  # the array takes it
    cdef cnp.ndarray array = PyArray_NewFromDescr(cnp.ndarray, dtype, dimensions, shape, NULL,
                                                  <void *>data, 0, None)
    cnp.set_array_base(array, owner)
    return array


# --- from Python to C -----------------------------------------------------------------------------


cdef int must(edb_status status) except -1:
    if status != EDB_OK:
        raise error_of(status, edb_error_detail().decode("utf-8", "replace"))
    return 0


cdef inline int borrow_key(object key, edb_key *out) except -1:
    cdef Py_ssize_t count
    if PyUnicode_Check(key):
        out.data = PyUnicode_AsUTF8AndSize(key, &count)
        out.bytes = count
    elif PyBytes_Check(key):
        out.data = PyBytes_AS_STRING(key)
        out.bytes = PyBytes_GET_SIZE(key)
    else:
        raise TypeError(f"a key is str or bytes, not {type(key).__name__}: {key!r:.60}")
    return 0


# Lends the keys of a tuple; the caller frees what is returned.
cdef edb_key *borrow_keys(tuple keys) except NULL:
    cdef Py_ssize_t n = len(keys)
    cdef edb_key *borrowed_keys = <edb_key *>calloc(n + 1, sizeof(edb_key))
    if borrowed_keys == NULL:
        raise MemoryError(f"no memory for {n} keys")
    try:
        for i in range(n):
            borrow_key(keys[i], &borrowed_keys[i])
    except:
        free(borrowed_keys)
        raise
    return borrowed_keys


cdef tuple as_keys(object keys):
    if isinstance(keys, (str, bytes)):
        raise TypeError(f"keys is one {type(keys).__name__}, {keys!r:.60}; put it into a list")
    return tuple(keys)


# Says in `out` what stands beside a vector; returns what has to live as long as `out` is used.
cdef object describe(edb_put_options *out, object text, object metadata, object ttl, object cost,
                     object pinned):
    cdef Py_ssize_t count
    memset(out, 0, sizeof(edb_put_options))
    out.struct_size = sizeof(edb_put_options)
    if text is not None:
        if not PyUnicode_Check(text):
            raise TypeError(f"a text is str, not {type(text).__name__}: {text!r:.60}")
        out.text = PyUnicode_AsUTF8AndSize(text, &count)
        out.text_bytes = count
    json = None
    if metadata is not None:
        json = json_of(metadata)
        out.metadata_json = PyUnicode_AsUTF8AndSize(json, &count)
        out.metadata_bytes = count
    if ttl is not None:
        out.ttl_s = seconds_of(ttl)
    out.cost = cost
    out.pinned = 1 if pinned else 0
    return text, json


# --- the handle -----------------------------------------------------------------------------------


@cython.final
cdef class Connection:
    """An open file and its space, in the process that opened it. All zero: closed."""

    cdef edb *db
    cdef edb_space *space  # NULL: not there yet
    cdef int64_t dims
    cdef int pid
    cdef Py_ssize_t users
    cdef object dependents  # iterations and transactions that are open
    cdef object __weakref__

    def __dealloc__(self):
        with nogil:
            edb_close(self.db)

    cdef int close(self) except -1:
        cdef edb *db = self.db
        self.db = NULL
        self.space = NULL
        while self.users > 0:
            with nogil:
                usleep(CLOSE_NAP_US)
        for dependent in list(self.dependents):
            dependent.close()
        cdef edb_status status
        with nogil:
            status = edb_close(db)
        return must(status)


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
        self.connect()

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
        connection.pid = getpid()
        connection.dims = DIMS_UNKNOWN
        connection.dependents = weakref.WeakSet()
        self.find_space(connection)
        cdef uint32_t reads = options.flags & (EDB_OPEN_READ_ONLY | EDB_OPEN_SNAPSHOT)
        if connection.space == NULL and self.spec[3] is not None and not reads:
            self.open_space(connection, self.spec[3])
        self.connection = connection
        return connection

    # Opens the space if it is there, with what was not stated taken from it.
    cdef int find_space(self, Connection connection) except -1:
        cdef edb_space *space
        cdef edb_status status
        cdef const char *name = self.spec[0]
        with nogil:
            status = edb_space_find(connection.db, name, &space)
        if status == EDB_NOT_FOUND:
            return 0
        must(status)
        cdef edb_space_spec there
        memset(&there, 0, sizeof(there))
        there.struct_size = sizeof(there)
        must(edb_space_describe(space, &there))
        name, model, revision, dims, metric, role = self.spec
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
        connection.users += 1
        with nogil:
            status = edb_space_open(connection.db, &spec, &space)
        connection.users -= 1
        must(status)
        connection.dims = dims
        connection.space = space
        return 0

    # The open connection of this process; its space is NULL as long as nobody has created it.
    cdef Connection reach(self):
        cdef Connection connection = self.connection
        if connection.db == NULL:
            raise ClosedError(f"{self!r} is closed: open it again")
        if connection.pid != getpid():
            connection = self.connect()
        elif connection.space == NULL:
            self.find_space(connection)
        return connection

    def close(self):
        """Close the file; see EmbedCache.close."""
        cdef Connection connection = self.connection
        self.connection = CLOSED
        if connection.db != NULL:
            connection.close()

    @property
    def closed(self):
        """Whether it was closed."""
        return self.connection.db == NULL

    @property
    def dimension(self):
        """Numbers in a vector; None as long as the space is not there and nobody has said."""
        cdef Connection connection = self.connection
        if connection.db != NULL:
            connection = self.reach()
        return connection.dims if connection.space != NULL else self.spec[3]

    # --- reading ---

    cdef int look_up(self, Connection connection, object key, Record record) except 1:
        cdef edb_key name
        cdef edb_status status
        borrow_key(key, &name)
        connection.users += 1
        with nogil:
            status = edb_view_key(connection.space, name.data, name.bytes, &record.view)
        connection.users -= 1
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

    def get(self, key):
        """Return the vector of a key, without a copy.

        Parameters
        ----------
        key : str or bytes

        Returns
        -------
        numpy.ndarray or None
            Shape (dimension,), float32, read-only: it looks into the file's mapping, and stays
            valid and unchanged as long as you have it. None when the key is not there or has
            expired. In
            a space of dimension 0: the value, uint8.

        Raises
        ------
        CorruptError
            The record is damaged.
        """
        cdef Record record = self.find(key)
        return borrowed(record) if record is not None else None

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
            return numpy.zeros((n, self.spec[3] or 0), FLOAT32), numpy.zeros(n, bool)
        cdef cnp.ndarray vectors = matrix_for(out, n, connection.dims)
        cdef cnp.ndarray found = numpy.empty(n, bool)
        cdef float *floats = <float *>cnp.PyArray_DATA(vectors)
        cdef uint8_t *flags = <uint8_t *>cnp.PyArray_DATA(found)
        cdef edb_key *lent_keys = borrow_keys(names)
        cdef edb_status status
        connection.users += 1
        with nogil:
            status = edb_get_many(connection.space, lent_keys, n, floats, flags)
        connection.users -= 1
        free(lent_keys)
        must(status)
        return vectors, found

    def __contains__(self, key):
        cdef edb_key name
        cdef edb_status status
        cdef Connection connection = self.reach()
        borrow_key(key, &name)
        if connection.space == NULL:
            return False
        connection.users += 1
        with nogil:
            status = edb_contains(connection.space, name.data, name.bytes)
        connection.users -= 1
        if status != EDB_NOT_FOUND:
            must(status)
        return status == EDB_OK

    # --- writing ---

    # The space, created for vectors of `dims` numbers when it is not there.
    cdef Connection writable(self, int64_t dims):
        cdef Connection connection = self.reach()
        if connection.space == NULL:
            self.open_space(connection, dims)
        return connection

    cdef int64_t expected_dims(self) except -2:
        dimension = self.dimension
        return DIMS_UNKNOWN if dimension is None else dimension

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
        cdef Connection connection = self.writable(cnp.PyArray_SIZE(array))
        borrow_key(key, &name)
        alive = describe(&options, text, metadata, ttl, cost, pinned)
        if dims == 0:
            options.value_bytes = cnp.PyArray_SIZE(array)
        cdef const void *data = cnp.PyArray_DATA(array)
        connection.users += 1
        with nogil:
            status = edb_put(connection.space, name.data, name.bytes, data, &options)
        connection.users -= 1
        must(status)

    def set_many(self, keys, vectors, *, texts=None, metadata=None, ttl=None, cost=0, pinned=False):
        """Store many vectors in one transaction: all or none, and by one call of the library.

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
            As for `set`, and when there are not n of everything or all of it is over 256 MiB; the
            message names the row.
        """
        cdef tuple names = as_keys(keys)
        cdef Py_ssize_t n = len(names)
        cdef cnp.ndarray matrix = as_matrix(vectors, n, self.expected_dims())
        cdef Beside beside = Beside(n, texts, metadata, ttl, cost, pinned)
        cdef cnp.ndarray rows = numpy.empty(n, INT64)
        if n == 0:
            return rows
        cdef Connection connection = self.writable(matrix.shape[1])
        cdef edb_key *lent_keys = borrow_keys(names)
        cdef const void *data = cnp.PyArray_DATA(matrix)
        cdef uint64_t *numbers = <uint64_t *>cnp.PyArray_DATA(rows)
        cdef edb_status status
        connection.users += 1
        with nogil:
            status = edb_put_many(connection.space, lent_keys, n, data, beside.options, numbers)
        connection.users -= 1
        free(lent_keys)
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
        connection.users += 1
        with nogil:
            status = edb_delete(connection.space, name.data, name.bytes)
        connection.users -= 1
        if status != EDB_NOT_FOUND:
            must(status)
        return status == EDB_OK


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


cdef object for_each(Py_ssize_t n, str what, object values):
    values = [None] * n if values is None else list(values)
    if len(values) != n:
        raise InvalidError(f"there are {n} keys but {len(values)} {what}: give one for each")
    return values


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
