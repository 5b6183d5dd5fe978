# SPDX-License-Identifier: Apache-2.0
"""What is set is got back bit for bit, with what stands beside it; what is wrong is refused."""

import math
import time
from datetime import timedelta

import embedcache
import numpy as np
import pytest
from embedcache import EmbedCache, InvalidError, MismatchError, NotFoundError


def test_get_returns_the_bits_that_were_set(cache, vectors):
    odd = np.array([0.0, -0.0, 1e-45, -1e-45, 3.4028235e38, 1.1754944e-38, 0.1, -0.1], np.float32)
    cache.set("odd", odd)
    assert cache.get("odd").tobytes() == odd.tobytes()
    cache.set("odd", vectors[0])
    assert cache.get("odd").tobytes() == vectors[0].tobytes()
    assert cache.get("other") is None


def test_a_str_is_its_utf8_bytes(cache, vectors):
    cache.set("Käse", vectors[0])
    cache.set(b"\xff\x00", vectors[1])
    cache.set("", vectors[2])
    assert (cache.get("Käse".encode()) == vectors[0]).all()
    assert list(cache) == ["Käse", b"\xff\x00", ""]
    for wrong in (7, None, bytearray(b"x")):
        with pytest.raises(TypeError, match="a key is str or bytes"):
            cache.get(wrong)
    with pytest.raises(InvalidError, match="lone surrogates"):
        cache.get("\ud800")


def test_long_keys_are_found_and_come_as_their_digest(cache, vectors):
    long, other = "x" * 65537, "x" * 65538
    cache.set(long, vectors[0])
    assert (cache.get(long) == vectors[0]).all()
    assert cache.get(other) is None
    (digest,) = cache.keys()
    assert isinstance(digest, bytes) and len(digest) == 32


def test_what_stands_beside_a_vector(cache, vectors):
    beside = {"year": 2020, "tags": ["ä", None, True], "score": 0.5, "n": np.int64(3)}
    cache.set("a", vectors[0], text="A\0text", metadata=beside, ttl=90.5, cost=7, pinned=True)
    record = cache.get_record("a")
    assert record.key == "a" and record.row == 0
    assert record.text == "A\0text"
    assert record.metadata == {**beside, "n": 3}
    assert record.expiry_time - record.put_time == 91
    assert record.cost == 7 and record.pinned
    assert abs(record.put_time - time.time()) < 60
    cache.set("b", vectors[1], text="")
    record = cache.get_record("b")
    assert record.text == "" and record.metadata is None
    assert record.expiry_time is None and record.cost == 0 and not record.pinned
    assert cache.get_record("c") is None


def test_ttl(cache, vectors):
    cache.set("short", vectors[0], ttl=timedelta(seconds=1))
    cache.set("long", vectors[1], ttl=math.inf)
    assert cache.get_record("long").expiry_time is None
    deadline = time.time() + 20
    while "short" in cache and time.time() < deadline:
        time.sleep(0.05)
    assert cache.get("short") is None and "long" in cache
    for wrong in (0, -1, math.nan, 2**32):
        with pytest.raises(InvalidError, match="ttl is"):
            cache.set("x", vectors[0], ttl=wrong)


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "uint8", ">f4", "longdouble"])
def test_every_type_of_number_is_stored_as_float32(cache, dtype):
    numbers = np.array([0, 1, 2, 3, 4, 5, 6, 100], dtype)
    cache.set("a", numbers)
    cache.set_many(["b"], numbers[np.newaxis])
    for key in "ab":
        assert cache.get(key).dtype == np.float32
        assert (cache.get(key) == numbers.astype(np.float32)).all()


def test_bfloat16(cache):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    numbers = np.array([0.1, 1, 2, 3, 4, 5, 6, -7.5], ml_dtypes.bfloat16)
    cache.set("a", numbers)
    assert (cache.get("a") == numbers.astype(np.float32)).all()


class ByDlpack:
    """An array of another library that is exchanged by DLPack alone."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Tensor:
    """As a torch tensor with a gradient: an array only once it is detached, and no bfloat16."""

    def __init__(self, array, dtype="torch.float32", detached=False):
        self.array, self.dtype, self.detached = array, dtype, detached

    def detach(self):
        return Tensor(self.array, self.dtype, True)

    def cpu(self):
        return self

    def float(self):
        return Tensor(self.array, "torch.float32", self.detached)

    def __array__(self, dtype=None, copy=None):
        if not self.detached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return np.array(self.array, dtype)


def test_arrays_of_other_libraries(cache, vectors):
    given = [
        list(map(float, vectors[0])),
        tuple(vectors[0]),
        ByDlpack(vectors[0]),
        Tensor(vectors[0]),
        Tensor(vectors[0], "torch.bfloat16"),
        np.repeat(vectors[0], 2)[::2],
        vectors[0].view(np.ma.MaskedArray),
    ]
    for numbers in given:
        cache.set("a", np.zeros(8))
        cache.set("a", numbers)
        assert (cache.get("a") == vectors[0]).all()
    cache.set_many(["x", "y"], Tensor(vectors[:2]))
    assert (cache.get("y") == vectors[1]).all()
    cache.set_many(["x", "y"], np.asfortranarray(vectors[2:4]))
    assert (cache.get("y") == vectors[3]).all()


def test_wrong_shapes_are_refused_with_both_named(cache, vectors):
    for wrong in (vectors[0, :5], vectors[:1], np.float32(1), np.zeros(0)):
        with pytest.raises(InvalidError) as refused:
            cache.set("a", wrong)
        assert str(np.shape(wrong)) in str(refused.value) and "(8,)" in str(refused.value)
    for wrong in (vectors[:2], vectors[:3, :5], vectors[0], np.zeros((3, 8, 1))):
        with pytest.raises(InvalidError) as refused:
            cache.set_many(["a", "b", "c"], wrong)
        assert str(wrong.shape) in str(refused.value) and "(3, 8)" in str(refused.value)
    with pytest.raises(InvalidError, match="inhomogeneous"):
        cache.set("a", [[1], [2, 3]])
    for wrong in ("a word", None, [1 + 2j] * 8, np.zeros(8, "datetime64[s]"), [True] * 8):
        with pytest.raises(TypeError):
            cache.set("a", wrong)
    assert len(cache) == 0


def test_what_is_not_finite_is_refused_with_its_place(cache, vectors):
    for bad in (math.nan, math.inf, -math.inf, 1e300):
        wrong = vectors[:3].astype(np.float64)
        wrong[1, 5] = bad
        with pytest.raises(InvalidError, match="element 5 "):
            cache.set("a", wrong[1])
        with pytest.raises(InvalidError, match="row 1 .*element 5 "):
            cache.set_many(["a", "b", "c"], wrong)
    assert len(cache) == 0


def test_wrong_things_beside_a_vector_are_refused(cache, vectors):
    for name, wrong, kind in [
        ("metadata", [1], TypeError),
        ("metadata", {"a": object()}, TypeError),
        ("metadata", {"a": math.nan}, InvalidError),
        ("text", b"bytes", TypeError),
        ("text", "\udcff", InvalidError),
        ("cost", -1, InvalidError),
        ("cost", 2**32, InvalidError),
    ]:
        with pytest.raises(kind):
            cache.set("a", vectors[0], **{name: wrong})
    with pytest.raises(InvalidError, match="3 keys but 2 texts"):
        cache.set_many(["a", "b", "c"], vectors[:3], texts=["x", "y"])
    assert len(cache) == 0


def test_many_at_once(cache, vectors):
    keys = [f"key {i}" for i in range(100)]
    rows = cache.set_many(
        iter(keys),
        vectors,
        texts=[None if i % 2 else f"text {i}" for i in range(100)],
        metadata=[{"i": i} for i in range(100)],
        cost=range(100),
        ttl=1000,
        pinned=True,
    )
    assert rows.dtype == np.int64 and list(rows) == list(range(100))
    for i in (0, 1, 99):
        record = cache.get_record(keys[i])
        assert record.text == (None if i % 2 else f"text {i}")
        assert record.metadata == {"i": i} and record.cost == i and record.pinned
    found_vectors, found = cache.get_many([*keys[50:], "absent", *keys[:50]])
    assert found.dtype == bool and list(np.flatnonzero(~found)) == [50]
    assert (found_vectors[:50] == vectors[50:]).all() and (found_vectors[51:] == vectors[:50]).all()
    assert not found_vectors[50].any()
    found_vectors[0] = 0  # it is the caller's
    assert (cache.get(keys[50]) == vectors[50]).all()


def test_many_into_an_array_of_the_caller(full, vectors):
    out = np.empty((2, 8), np.float32)
    got, found = full.get_many(["key 3", b"key 4"], out=out)
    assert got is out and found.all() and (out == vectors[3:5]).all()
    read_only = np.empty((2, 8), np.float32)
    read_only.flags.writeable = False
    for wrong in (np.empty((3, 8), np.float32), np.empty((2, 16), np.float32)[:, ::2], read_only):
        with pytest.raises(InvalidError, match="out has shape"):
            full.get_many(["key 3", "key 4"], out=wrong)
    with pytest.raises(TypeError, match="float32"):
        full.get_many(["key 3", "key 4"], out=np.empty((2, 8)))


def test_one_str_is_not_many_keys(cache, vectors):
    with pytest.raises(TypeError, match="put it into a list"):
        cache.get_many("key")
    with pytest.raises(TypeError, match="put it into a list"):
        cache.set_many(b"key", vectors[:3])


def test_refused_batches_store_nothing(cache, vectors):
    with pytest.raises(TypeError):
        cache.set_many(["a", 7], vectors[:2])
    with pytest.raises(TypeError):
        cache.set_many(["a", "b"], vectors[:2], texts=["x", 7])
    assert len(cache) == 0 and cache.stats().rows_given == 0


def test_the_dimension_is_that_of_the_first_vector(path, vectors):
    with EmbedCache(path) as cache:
        assert cache.dimension is None and len(cache) == 0
        assert cache.get("a") is None and "a" not in cache and not cache.delete("a")
        assert cache.get_many(["a"])[0].shape == (1, 0)
        assert cache.search([1, 2, 3]).keys == [] and list(cache) == []
        with pytest.raises(InvalidError, match="NaN"):
            cache.set("a", [math.nan])
        with pytest.raises(InvalidError, match="cost"):
            cache.set("a", [1.0], cost=-1)
        assert cache.dimension is None
        cache.set("a", vectors[0])
        assert cache.dimension == 8
        with pytest.raises(InvalidError):
            cache.set("b", [1.0])
    with EmbedCache(path) as cache:
        assert cache.dimension == 8 and "a" in cache


def test_two_caches_that_wait_for_the_first_vector(path, vectors):
    with EmbedCache(path) as one, EmbedCache(path) as other:
        one.set("a", vectors[0])
        assert (other.get("a") == vectors[0]).all() and other.dimension == 8


def test_another_space_is_refused_and_what_is_left_out_is_as_it_is(path):
    said = {"dimension": 8, "model": "m", "metric": "l2", "role": "query", "revision": "2"}
    EmbedCache(path, **said).close()
    for name, other in [
        ("dimension", 9),
        ("model", "n"),
        ("metric", "dot"),
        ("role", "document"),
        ("revision", "3"),
    ]:
        with pytest.raises(MismatchError):
            EmbedCache(path, **{**said, name: other})
    with EmbedCache(path) as cache:
        assert {name: getattr(cache, name) for name in said} == said
    with EmbedCache(path, space="other", dimension=3) as cache:
        assert cache.metric == "cosine" and cache.role == "none" and cache.model == ""


def test_values_of_bytes(path):
    with EmbedCache(path, dimension=0) as cache:
        for value in (b"", b"\0\1", bytearray(b"abc"), memoryview(b"abcd")[::2], np.arange(3)):
            cache.set("a", value)
            assert cache.get("a").tobytes() == bytes(value)
        with pytest.raises(TypeError, match="takes bytes"):
            cache.set("a", "text")
        with cache.transaction() as transaction:
            transaction.set("b", b"in a transaction")
        assert cache.get("b").tobytes() == b"in a transaction"
    with EmbedCache(path) as cache:
        assert cache.dimension == 0 and cache.get("b") is not None


def test_rows(full, vectors):
    assert (full[3] == vectors[3]).all() and (full[np.int64(4)] == vectors[4]).all()
    assert (full[[5, 3, 5]] == vectors[[5, 3, 5]]).all()
    assert (full[np.array([7, 1], np.uint8)] == vectors[[7, 1]]).all()
    assert (full[2:10:3] == vectors[2:10:3]).all() and (full[-2:] == vectors[-2:]).all()
    assert (full["key 9"] == vectors[9]).all() and full[[]].shape == (0, 8)
    full.delete("key 5")
    for absent in (5, 100, -1, [4, 5], slice(4, 6), "key 5"):
        with pytest.raises(KeyError, match="not in space|never from the end"):
            full[absent]
    got, found = full.get_rows([4, 5, -1])
    assert list(found) == [True, False, False] and not got[1:].any()
    with pytest.raises(TypeError, match="row numbers"):
        full[np.zeros(100)]


def test_delete_iterate_len(full, vectors):
    assert len(full) == 100
    assert full.delete("key 7") and not full.delete("key 7")
    full.set("key 0", vectors[1])
    assert len(full) == 99 and "key 7" not in full and b"key 8" in full
    keys = list(full.keys())
    assert keys == [f"key {i}" for i in range(1, 100) if i != 7] + ["key 0"] == list(full)
    for key, vector in full.items():
        assert (vector == full.get(key)).all()
    assert [record.row for record in full.records()] == [*range(1, 7), *range(8, 101)]


def test_an_iteration_stands_still(full, vectors):
    iteration = iter(full)
    assert next(iteration) == "key 0"
    full.delete("key 1")
    full.set("new", vectors[0])
    assert list(iteration) == [f"key {i}" for i in range(1, 100)]


def test_transactions(full, vectors):
    with full.transaction() as transaction:
        transaction.set("new", vectors[5], text="hello")
        transaction.delete("key 0")
        transaction.delete("absent")
        assert "new" not in full and "key 0" in full
    assert full.get_record("new").text == "hello" and "key 0" not in full
    with pytest.raises(ZeroDivisionError), full.transaction(durability="durable") as transaction:
        transaction.set("never", vectors[0])
        1 / 0
    assert "never" not in full
    with pytest.raises(embedcache.ClosedError):
        transaction.set("late", vectors[0])
    with full.transaction() as transaction:
        transaction.set("forgotten", vectors[0])
        transaction.abort()
    assert "forgotten" not in full


def test_errors_are_of_one_family_and_builtin():
    for kind, builtin in [
        (NotFoundError, KeyError),
        (InvalidError, ValueError),
        (MismatchError, ValueError),
        (embedcache.MissingFileError, FileNotFoundError),
        (embedcache.BusyError, TimeoutError),
        (embedcache.ReadOnlyError, PermissionError),
        (embedcache.StorageError, OSError),
        (embedcache.NoMemoryError, MemoryError),
    ]:
        assert issubclass(kind, embedcache.EmbedCacheError) and issubclass(kind, builtin)
    assert str(NotFoundError("a sentence")) == "a sentence"


def test_more_than_a_transaction_holds():
    """What is over the 256 MiB of a transaction goes in as several, and is refused as a whole."""
    dims, n = 16384, 4300
    vectors = np.zeros((n, dims), np.float32)
    vectors[:, 0] = np.arange(n)
    keys = [str(i) for i in range(n)]
    with EmbedCache(dimension=dims) as cache:
        vectors[n - 1, 7] = np.nan
        with pytest.raises(InvalidError, match="row 4299 .*element 7 "):
            cache.set_many(keys, vectors)
        assert len(cache) == 0
        vectors[n - 1, 7] = 0
        assert list(cache.set_many(keys, vectors)) == list(range(n))
        assert len(cache) == n and all(cache.get(keys[i])[0] == i for i in range(0, n, 100))
    with EmbedCache(dimension=1) as cache:
        cache.set_many(keys[:20], np.ones((20, 1)), texts=["x" * (15 << 20)] * 20)
        assert len(cache) == 20 and len(cache.get_record("19").text) == 15 << 20


def test_a_space_that_somebody_else_creates_meanwhile(path):
    """It is created while the vector is converted: sizes are compared with what is there then."""

    class Late(list):
        def __array__(self, dtype=None, copy=None):
            EmbedCache(path, dimension=64, space=cache.space).close()
            return np.ones((1, 3) if self else 3, np.float32)

    def in_transaction(cache):
        with cache.transaction() as transaction:
            transaction.set("a", Late())

    for number, call in enumerate(
        (
            lambda cache: cache.set("a", Late()),
            lambda cache: cache.set_many(["a"], Late([1])),
            lambda cache: cache.search(Late()),
            in_transaction,
        )
    ):
        with EmbedCache(path, space=f"space {number}") as cache:
            with pytest.raises(InvalidError, match=r"3.*64"):
                call(cache)
            assert cache.dimension == 64 and len(cache) == 0
