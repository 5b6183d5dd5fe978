# SPDX-License-Identifier: Apache-2.0
#
# What a handle gives out and what has a life of its own: iterations, all vectors, transactions.
# Part of _native.pyx.


@cython.final
@cython.no_gc_clear  # the connection has to be open when it ends
cdef class Records(Dependent):
    """All records of a space as they were when the iteration began, in row order."""

    cdef edb_iterator *iterator
    cdef bint running
    cdef bint done
    cdef object __weakref__

    def __cinit__(self, Connection connection):
        cdef edb_status status
        if connection.space == NULL:
            self.done = True
            return
        connection.enter()
        with nogil:
            status = edb_iterate(connection.space, &self.iterator)
        if status == EDB_OK:
            self.link(connection)
        connection.leave()
        must(status)

    def __dealloc__(self):
        self.end()

    cdef void end(self) noexcept:
        self.unlink()
        edb_iterator_close(self.iterator)
        self.iterator = NULL

    def close(self):
        """End the iteration before its end."""
        if self.running:
            raise ValueError("another thread is asking this iteration for its next record")
        self.end()

    def __iter__(self):
        return self

    def __next__(self):
        cdef Record record = Record.__new__(Record)
        cdef edb_status status
        if self.done:
            raise StopIteration
        if self.iterator == NULL:
            raise ClosedError("the iteration was closed, or its cache: begin another one")
        if self.running:
            raise ValueError("another thread is asking this iteration for its next record")
        self.connection.enter()
        self.running = True
        with nogil:
            status = edb_next(self.iterator, &record.view)
        self.connection.leave()
        self.running = False
        if status == EDB_NOT_FOUND:
            self.end()
            self.done = True
            raise StopIteration
        must(status)
        record.opaque = self.connection.dims == 0
        return record


@cython.final
cdef class Vectors:
    """All vectors of a space as they were when they were asked for, without a copy.

    They stand in the file in blocks of neighbours: one block right after a compaction, more after
    further writes. Everything stays valid as long as somebody has it.
    """

    cdef edb_matrix *held
    cdef Py_ssize_t dims

    def __dealloc__(self):
        edb_vectors_release(self.held)

    def __len__(self):
        return 0 if self.held == NULL else self.held.count

    def __repr__(self):
        return f"<Vectors of shape {self.shape}, in {len(self.blocks)} blocks>"

    @property
    def shape(self):
        """(n, dimension)."""
        return len(self), self.dims

    @property
    def contiguous(self):
        """Whether all stands in one block, so that `matrix` is no copy."""
        return self.held == NULL or self.held.contiguous != 0

    @property
    def rows(self):
        """The row number of each vector: shape (n,), int64, ascending, read-only."""
        cdef cnp.npy_intp count = len(self)
        if count == 0:
            return numpy.empty(0, INT64)
        return lent(self, INT64, 1, &count, self.held.rows)

    @property
    def blocks(self):
        """The vectors in blocks, shapes (m, dimension), float32, read-only, never a copy."""
        cdef cnp.npy_intp[2] shape
        blocks = []
        for i in range(0 if self.held == NULL else self.held.block_count):
            shape[0] = self.held.blocks[i].count
            shape[1] = self.dims
            blocks.append(lent(self, FLOAT32, 2, shape, self.held.blocks[i].vectors))
        return blocks

    @property
    def matrix(self):
        """All in one array, shape (n, dimension), float32: a copy unless `contiguous`."""
        blocks = self.blocks
        if len(blocks) == 1:
            return blocks[0]
        return numpy.concatenate([numpy.empty((0, self.dims), FLOAT32), *blocks])

    def __array__(self, dtype=None, copy=None):
        if copy is False and not self.contiguous:
            raise ValueError("the vectors are not contiguous: compact the cache, or allow a copy")
        return numpy.array(self.matrix, dtype) if copy else numpy.asarray(self.matrix, dtype)


@cython.final
@cython.no_gc_clear  # the connection has to be open when it ends
cdef class Transaction(Dependent):
    """Changes that are seen all at once or never. See EmbedCache.transaction."""

    cdef Handle handle
    cdef edb_txn *txn
    cdef edb_durability durability
    cdef bint over  # the caller has committed or aborted it
    cdef object __weakref__

    def __cinit__(self, Handle handle, Connection connection, int durability):
        cdef edb_status status
        self.handle = handle
        self.durability = <edb_durability>durability
        connection.enter()
        status = edb_begin(connection.db, &self.txn)
        if status == EDB_OK:
            self.link(connection)
        connection.leave()
        must(status)

    def __dealloc__(self):
        self.end()

    cdef void end(self) noexcept:
        self.unlink()
        edb_abort(self.txn)
        self.txn = NULL

    def set(self, key, vector, *, text=None, metadata=None, ttl=None, cost=0, pinned=False):
        """Store a vector when the transaction is committed.

        `key`, `vector`, `text`, `metadata`, `ttl`, `cost` and `pinned` are those of EmbedCache.set,
        and so are the errors, but for those of the file: these come from the commit.
        """
        cdef edb_key name
        cdef edb_put_options options
        cdef int64_t dims = self.handle.expected_dims()
        cdef cnp.ndarray array = as_vector(vector, dims) if dims != 0 else as_value(vector)
        borrow_key(key, &name)
        alive = describe(&options, text, metadata, ttl, cost, pinned)
        if dims == 0:
            options.value_bytes = cnp.PyArray_SIZE(array)
        self.ready()
        self.handle.writable(array, dims)
        self.ready()  # still: another thread may have ended it
        must(edb_txn_put(self.txn, self.connection.space, name.data, name.bytes,
                         cnp.PyArray_DATA(array), &options))

    def delete(self, key):
        """Delete a key when the transaction is committed, if it is there then."""
        cdef edb_key name
        borrow_key(key, &name)
        self.ready()
        if self.connection.space != NULL:
            must(edb_txn_delete(self.txn, self.connection.space, name.data, name.bytes))

    # The transaction is open, and of this process.
    cdef int ready(self) except -1:
        if self.over:
            raise ClosedError("the transaction is over: begin another one")
        if self.txn == NULL:
            raise ClosedError("the cache was closed before its transaction was committed: "
                              "nothing of it is stored; open it again")
        if self.handle.connection is not self.connection or self.connection.forks != forks:
            raise ForkedError("the transaction was begun before fork(): begin another one")
        return 0

    def commit(self):
        """Make all changes visible at once.

        Raises
        ------
        BusyError, FullError, ReadOnlyError
            Nothing was stored.
        StorageError
            The outcome is unknown, but never half of it.
        ForkedError, ClosedError
            It was begun before fork(), or is over.
        """
        cdef edb_txn *txn
        cdef edb_status status
        self.ready()
        self.connection.enter()
        txn = self.txn
        self.txn = NULL
        self.over = True
        self.unlink()
        with nogil:
            status = edb_commit(txn, self.durability)
        self.connection.leave()
        must(status)

    def abort(self):
        """Forget all changes."""
        self.over = True
        self.end()

    def close(self):
        """As `abort`; nothing after a commit."""
        self.abort()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is not None:
            self.abort()
        elif not self.over:
            self.commit()
