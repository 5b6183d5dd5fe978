# SPDX-License-Identifier: Apache-2.0
#
# One record, borrowed from the file, and arrays over what is borrowed. Part of _native.pyx.


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
    def metadata(self):
        """The metadata as a new dict, or None."""
        cdef char *text
        must(edb_view_metadata_json(&self.view, &text))
        if text == NULL:
            return None
        try:
            return json.loads(<bytes>text)
        finally:
            edb_free(text)

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
