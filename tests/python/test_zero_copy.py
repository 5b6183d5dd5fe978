# SPDX-License-Identifier: Apache-2.0
"""What is lent lies in the mapping, cannot be written, and outlives what becomes of the cache."""

import gc
import sys

import numpy as np
import pytest
from conftest import some_vectors
from embedcache import EmbedCache


def mapping_of(array):
    """The line of /proc/self/maps in which all of the array lies."""
    first = array.__array_interface__["data"][0]
    with open("/proc/self/maps") as maps:
        for line in maps:
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            if begin <= first and first + array.nbytes <= end:
                return line
    raise AssertionError("the array lies in no mapping")


def lies_in_the_file(array, path):
    return str(path) in mapping_of(array)


def test_what_is_lent_lies_in_the_mapping(full, path):
    full.compact()
    record = full.get_record("key 3")
    lent = [full.get("key 3"), full[4], record.vector, full.vectors().matrix]
    lent += [vector for _, vector in full.items()]
    for array in lent:
        assert lies_in_the_file(array, path)
        assert "w" not in mapping_of(array).split()[1]
    assert not lies_in_the_file(full.get_many(["key 3"])[0], path)


def test_nothing_makes_it_writable(full):
    for array in (full.get("key 3"), full[3], full.vectors().blocks[0], full.vectors().rows):
        assert not array.flags.writeable and not array.flags.owndata
        with pytest.raises(ValueError):
            array[:] = 0
        with pytest.raises(ValueError):
            array.flags.writeable = True
        with pytest.raises(ValueError):
            array[:1].flags.writeable = True


def test_it_outlives_overwrite_delete_compaction_close_and_del(path):
    vectors = some_vectors(3000, 64)
    cache = EmbedCache(path, dimension=64)
    cache.set_many([f"key {i}" for i in range(3000)], vectors)
    lent = [cache.get(f"key {i}") for i in range(3000)]
    blocks = cache.vectors().blocks
    cache.set("key 0", vectors[1])
    for i in range(1, 2900):
        cache.delete(f"key {i}")
    cache.compact()
    matrix = cache.vectors().matrix
    cache.close()
    del cache
    gc.collect()
    assert (np.array(lent) == vectors).all()
    assert (np.concatenate(blocks) == vectors).all()
    assert (matrix == vectors[[*range(2900, 3000), 1]]).all()


def test_what_is_let_go_is_given_back(path):
    """An array that is gone lets its mapping go: after a compaction no old file stays mapped."""
    cache = EmbedCache(path, dimension=8)
    cache.set_many([f"key {i}" for i in range(1000)], some_vectors(1000))
    lent = [cache.get("key 1"), cache[2], cache.vectors(), next(cache.items())]
    cache.compact()
    cache.get("key 1")
    with open("/proc/self/maps") as maps:
        assert "(deleted)" in "".join(line for line in maps if str(path) in line)
    del lent
    gc.collect()
    with open("/proc/self/maps") as maps:
        assert "(deleted)" not in "".join(line for line in maps if str(path) in line)
    cache.close()


def test_a_batch_takes_no_object_for_each_row(path):
    keys = [f"key {i}" for i in range(1024)]
    with EmbedCache(path, dimension=16) as cache:
        cache.set_many(keys, some_vectors(1024, 16))
        cache.get_many(keys)
        before = sys.getallocatedblocks()
        got = cache.get_many(keys)
        assert sys.getallocatedblocks() - before < 100
        assert got[1].all()


def test_all_vectors(full, vectors):
    full.delete("key 10")
    lent = full.vectors()
    kept = np.delete(np.arange(100), 10)
    assert len(lent) == 99 and lent.shape == (99, 8) and not lent.contiguous
    assert lent.rows.dtype == np.int64 and (lent.rows == kept).all()
    assert (np.concatenate(lent.blocks) == vectors[kept]).all()
    assert (np.asarray(lent) == vectors[kept]).all()
    assert np.asarray(lent, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="not contiguous"):
        lent.__array__(copy=False)
    full.compact()
    lent = full.vectors()
    assert lent.contiguous and (lent.__array__(copy=False) == vectors[kept]).all()
    assert np.asarray(lent).base is not None and not np.asarray(lent).flags.writeable
    assert np.array(lent).flags.writeable  # a copy was asked for
    assert len(EmbedCache(dimension=3).vectors().matrix) == 0
