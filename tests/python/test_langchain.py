# SPDX-License-Identifier: Apache-2.0
"""The adapters for LangChain: bytes as they were, each text embedded once, documents found."""

import asyncio
import subprocess
import sys
from datetime import date

import numpy as np
import pytest
from embedcache import EmbedCache, InvalidError

pytest.importorskip("langchain_core", reason="langchain-core is not installed")

from embedcache.adapters.langchain import (
    EmbedCacheByteStore,
    EmbedCacheEmbeddings,
    EmbedCacheVectorStore,
)
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

LONG = "é" * 32769


class Toy(Embeddings):
    """Counts letters; a query is told from a document. Keeps what it was asked for."""

    def __init__(self):
        self.calls = []

    def _vector(self, text, last):
        return [text.count("a") + 0.1, text.count("b"), len(text) / 7, last]

    def embed_documents(self, texts):
        self.calls.append(list(texts))
        return [self._vector(text, 0.0) for text in texts]

    def embed_query(self, text):
        self.calls.append(text)
        return self._vector(text, 1.0)

    async def aembed_documents(self, texts):
        self.calls.append("async")
        return self.embed_documents(texts)

    async def aembed_query(self, text):
        self.calls.append("async")
        return self.embed_query(text)


@pytest.fixture
def toy():
    return Toy()


@pytest.fixture
def cache(path):
    with EmbedCache(path, dimension=4, model="toy") as opened:
        yield opened


# --- bytes ---


@pytest.fixture
def store(path):
    with EmbedCache(path, dimension=0, space="bytes") as opened:
        yield EmbedCacheByteStore(opened)


def test_bytes_come_back_as_they_were(store, path):
    values = [b"", b"\x00\xff", bytes(range(256)) * 5000, b"one"]
    keys = ["", "a\n", "größe", "a1"]
    store.mset(list(zip(keys, values, strict=True)))
    assert store.mget([*keys, "nothing", "a1"]) == [*values, None, b"one"]
    with EmbedCache(path, space="bytes", read_only=True) as again:
        other = EmbedCacheByteStore(again)
        assert other.mget(keys) == values
        assert (list(other.yield_keys()), list(other.yield_keys(prefix="a"))) == (
            keys,
            ["a\n", "a1"],
        )
    store.mdelete(["a1", "nothing"])
    assert list(store.yield_keys(prefix="a")) == ["a\n"]


def test_what_is_refused_stores_nothing(store):
    with pytest.raises(InvalidError, match="65538 bytes"):
        store.mset([("a", b"1"), (LONG, b"2")])
    with pytest.raises(TypeError):
        store.mset([("a", b"1"), ("b", "text")])
    assert list(store.yield_keys()) == []


def test_a_cache_of_vectors_holds_no_bytes(cache):
    with pytest.raises(InvalidError, match=r"dimension 4.*dimension=0, space='bytes'"):
        EmbedCacheByteStore(cache)


# --- embeddings ---


def test_a_document_is_embedded_once_and_all_by_one_call(cache, toy):
    embeddings = EmbedCacheEmbeddings(toy, cache)
    first = embeddings.embed_documents(["a", "b", "a"])
    second = EmbedCacheEmbeddings(toy, cache).embed_documents(["b", "c", "a"])
    assert toy.calls == [["a", "b"], ["c"]]
    assert first == [second[2], second[0], first[0]] and type(first[0][0]) is float
    assert first[0] == np.float32([1.1, 0, 1 / 7, 0]).tolist()
    assert embeddings.embed_documents([]) == []


def test_a_query_is_no_document(cache, path, toy):
    with EmbedCache(path, 4, "toy", space="queries", role="query") as queries:
        embeddings = EmbedCacheEmbeddings(toy, cache, queries)
        asked = embeddings.embed_query("a")
        assert embeddings.embed_documents(["a"])[0] != asked == embeddings.embed_query("a")
        assert toy.calls == ["a", ["a"]]
    without = EmbedCacheEmbeddings(toy, cache)
    assert without.embed_query("a") == without.embed_query("a") == Toy().embed_query("a")
    assert toy.calls == ["a", ["a"], "a", "a"]


def test_a_model_that_embeds_both_alike_may_share(cache, toy):
    embeddings = EmbedCacheEmbeddings(toy, cache, cache)
    assert embeddings.embed_documents(["a"]) == [embeddings.embed_query("a")]
    assert toy.calls == [["a"]]


@pytest.mark.parametrize(("role", "which"), [("query", "cache"), ("document", "query_cache")])
def test_a_role_is_kept(cache, path, toy, role, which):
    caches = {"cache": cache, which: EmbedCache(path, 4, "toy", space="other", role=role)}
    with pytest.raises(InvalidError, match=f"^{which} has role '{role}'"):
        EmbedCacheEmbeddings(toy, **caches)


def test_the_asynchronous_twins_ask_the_asynchronous_model(cache, path, toy):
    async def ask(embeddings):
        for _ in range(2):
            found = await embeddings.aembed_documents(["a", "b"])
            asked = await embeddings.aembed_query("a")
        return found, asked

    with EmbedCache(path, 4, "toy", space="queries") as queries:
        embeddings = EmbedCacheEmbeddings(toy, cache, queries, batch_size=1)
        found, asked = asyncio.run(ask(embeddings))
        assert toy.calls == ["async", ["a"], "async", ["b"], "async", "a"]
        assert (embeddings.embed_documents(["a", "b"]), embeddings.embed_query("a")) == (
            found,
            asked,
        )


# --- documents ---


@pytest.fixture
def documents(cache, toy):
    store = EmbedCacheVectorStore(cache, toy)
    store.add_texts(["aaa", "bbb", "aab"], [{"n": 1}, {}, {"n": [3]}], ids=["1", "2", "3"])
    return store


def test_documents_are_found_with_what_stands_beside_them(documents, cache, toy):
    assert toy.calls == [["aaa", "bbb", "aab"]]
    found = documents.similarity_search_with_score("aaaa", k=2)
    assert [document for document, _ in found] == [
        Document(id="1", page_content="aaa", metadata={"n": 1}),
        Document(id="3", page_content="aab", metadata={"n": [3]}),
    ]
    vector = toy.embed_query("aaaa")
    assert [score for _, score in found] == list(cache.search(vector, 2).scores)
    assert documents.similarity_search("aaaa", 2) == [document for document, _ in found]
    assert documents.similarity_search_by_vector(vector, 2) == [document for document, _ in found]
    assert documents.get_by_ids(["3", "no", "2"])[1] == Document(id="2", page_content="bbb")
    with EmbedCache(cache.path, read_only=True) as again:
        assert EmbedCacheVectorStore(again, toy).similarity_search("aaaa", 1) == [found[0][0]]


def test_documents_go(documents):
    assert documents.delete(["1", "no"])
    assert [document.id for document in documents.similarity_search("a", 9)] == ["3", "2"]
    documents.delete([])
    assert len(documents.cache) == 2
    documents.delete()
    assert documents.similarity_search("a") == []


def test_a_retriever_chooses_by_relevance_and_by_difference(documents):
    by_score = {"search_type": "similarity_score_threshold"}
    near = documents.as_retriever(**by_score, search_kwargs={"score_threshold": 0.8})
    assert [document.id for document in near.invoke("aaaa")] == ["1", "3"]
    apart = documents.as_retriever(search_type="mmr", search_kwargs={"k": 2, "lambda_mult": 0})
    assert [document.id for document in apart.invoke("aaaa")] == ["1", "2"]
    assert [document.id for document in asyncio.run(apart.ainvoke("aaaa"))] == ["1", "2"]


def test_another_metric_has_no_relevance(path, toy):
    with EmbedCache(path, 4, metric="l2") as cache:
        documents = EmbedCacheVectorStore.from_texts(["a"], toy, cache=cache)
        with pytest.raises(InvalidError, match="metric 'l2'"):
            documents.similarity_search_with_relevance_scores("a")
        assert documents.similarity_search_with_score("a")[0][1] == pytest.approx(1)


def test_asynchronous_documents(toy):
    async def go():
        store = await EmbedCacheVectorStore.afrom_texts(["a", "b"], toy, ids=["1", "2"])
        await store.aadd_documents([Document(id="3", page_content="ab"), Document("bb")])
        found = await store.asimilarity_search("a", 1)
        store.cache.close()
        return found

    assert asyncio.run(go()) == [Document(id="1", page_content="a")]
    assert toy.calls == ["async", ["a", "b"], "async", ["ab", "bb"], "async", "a"]


def test_a_filter_is_refused_and_so_is_what_nobody_knows(documents):
    for search in (documents.similarity_search, documents.max_marginal_relevance_search):
        with pytest.raises(NotImplementedError, match="filter"):
            search("a", filter={"n": 1})
        assert search("a", filter=None)
    with pytest.raises(NotImplementedError, match="filter"):
        asyncio.run(documents.asimilarity_search("a", filter={"n": 1}))
    with pytest.raises(TypeError, match="unknown: where"):
        documents.delete(["1"], where={})
    assert len(documents.cache) == 3


@pytest.mark.parametrize(
    ("metadatas", "ids", "message"),
    [
        (None, ["4"], "2 texts and 1 ids"),
        (None, ["4", LONG], "65538 bytes"),
        ([{}], None, "metadata"),
        ([{}, {"when": date(2020, 1, 1)}], None, "metadata"),
    ],
)
def test_documents_that_are_refused_store_nothing(documents, metadatas, ids, message):
    with pytest.raises((InvalidError, TypeError), match=message):
        documents.add_texts(["one", "two"], metadatas, ids=ids)
    assert len(documents.cache) == 3


def test_what_get_or_compute_has_stored_is_found_too(cache, toy):
    cache.get_or_compute(["aaa", "b"], toy.embed_documents)
    cache.set(b"\xff", [1, 0, 0, 0])
    documents = EmbedCacheVectorStore(cache, toy)
    assert documents.similarity_search_by_vector([3.1, 0, 3 / 7, 0], 2) == [
        Document(id="aaa", page_content="aaa"),
        Document(page_content=""),
    ]


def test_without_langchain_one_sentence_says_so():
    program = (
        "import sys; sys.modules['langchain_core'] = None; import embedcache.adapters.langchain"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 1 and "During handling" not in ran.stderr
    assert ran.stderr.splitlines()[-1] == (
        "ImportError: embedcache.adapters.langchain needs langchain-core: "
        "pip install langchain-core"
    )
