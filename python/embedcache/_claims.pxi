# SPDX-License-Identifier: Apache-2.0
#
# Keys that are claimed together: who computes what is missing. Part of _native.pyx.

cdef enum:
    WAIT_SLICE_MS = 200  # between two looks at signals, and at whether the cache is being closed
    WAIT_S_MAX = 1000000000


@cython.final
@cython.no_gc_clear  # the connection has to be open when they are released
cdef class Claims(Dependent):
    """What has become of keys that were claimed together. See compute.py, which makes them."""

    cdef Handle handle
    cdef tuple keys
    cdef edb_claims *held
    cdef bint running
    cdef bint given_up
    cdef object __weakref__

    def __cinit__(self, Handle handle, Connection connection, keys):
        cdef Keys lent_keys
        cdef edb_status status
        cdef Py_ssize_t n
        self.handle = handle
        self.keys = as_keys(keys)
        n = len(self.keys)
        lent_keys = Keys(self.keys)
        connection.enter()
        with nogil:
            status = edb_claim(connection.space, lent_keys.first, n, &self.held)
        if status == EDB_OK:
            self.link(connection)
        connection.leave()
        must(status)

    def __dealloc__(self):
        self.end()

    @property
    def mine(self):
        """The keys that are to be computed, and put, by who has these claims."""
        return self.in_state(EDB_CLAIM_MINE)

    @property
    def waiting(self):
        """The keys that another thread, task or process computes."""
        return self.in_state(EDB_CLAIM_WAIT)

    cdef list in_state(self, int state):
        self.ready()
        return [key for i, key in enumerate(self.keys) if self.held.states[i] == state]

    cdef int ready(self) except -1:
        if self.held == NULL or self.handle.connection is not self.connection:
            raise ClosedError("the cache was closed while it computed: open it again")
        return 0

    def wait(self, double seconds):
        """Give back what is `mine`; wait until one that is `waiting` is there, or has become mine.

        Returns whether that came to be within the time.
        """
        cdef edb_status status = EDB_BUSY
        cdef uint64_t left_ms = <uint64_t>(min(max(seconds, 0.0), WAIT_S_MAX) * 1000)
        cdef uint32_t slice_ms
        while status == EDB_BUSY:
            self.ready()
            PyErr_CheckSignals()
            slice_ms = <uint32_t>min(left_ms, <uint64_t>WAIT_SLICE_MS)
            status = self.wait_slice(slice_ms)
            if status == EDB_BUSY and left_ms <= slice_ms:
                return False
            left_ms -= slice_ms
        must(status)
        return True

    cdef edb_status wait_slice(self, uint32_t wait_ms) except? EDB_INVALID:
        cdef edb_status status
        self.connection.enter()
        self.running = True
        with nogil:
            status = edb_claim_wait(self.held, wait_ms)
        self.connection.leave()
        self.running = False
        if self.given_up:
            self.close()
        return status

    def close(self):
        """Give back what is `mine`, and forget the rest; when another thread waits, at its end."""
        if self.running:
            self.given_up = True
            return
        self.end()

    # Counted without `enter`: `close` of the connection waits for it, and calls it.
    cdef void end(self) noexcept:
        cdef edb_claims *held = self.held
        self.held = NULL
        self.unlink()
        if held == NULL:
            return
        self.connection.users += 1
        with nogil:
            edb_claim_release(held)
        self.connection.leave()
