# SPDX-License-Identifier: Apache-2.0
"""LangChain's byte store, embeddings and vector store, over caches that the caller has opened.

Each of the three keeps everything in the `EmbedCache` that it is given, so what that promises
holds here, too; closing it is left to the caller. Asynchronous calls never block the event loop.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

try:
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.stores import BaseStore
    from langchain_core.vectorstores import VectorStore
    from langchain_core.vectorstores.utils import maximal_marginal_relevance
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("langchain_core"):
        raise
    raise ImportError(
        "embedcache.adapters.langchain needs langchain-core: pip install langchain-core"
    ) from None

from embedcache._native import Record
from embedcache.cache import EmbedCache
from embedcache.errors import InvalidError
from embedcache.results import Hits

# A longer key is stored as its digest, and could not be told again: EDB_KEY_BYTES_MAX.
KEY_BYTES_MAX = 65536


class EmbedCacheByteStore(BaseStore[str, bytes]):
    """A `ByteStore`: bytes under names, given back as they were.

    Parameters
    ----------
    cache : EmbedCache
        Of dimension 0: `EmbedCache(path, dimension=0, space="bytes")`.

    Raises
    ------
    InvalidError
        The cache holds vectors.
    """

    def __init__(self, cache: EmbedCache) -> None:
        if cache.dimension != 0:
            raise InvalidError(
                f"{cache!r} has dimension {cache.dimension}, and bytes need dimension 0: "
                f"EmbedCache({cache.path!r}, dimension=0, space='bytes')"
            )
        self.cache = cache

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values of keys, None for each that is not there."""
        values = (self.cache.get(key) for key in keys)
        return [None if value is None else value.tobytes() for value in values]

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Store values under keys: all are seen at once, or none.

        Parameters
        ----------
        key_value_pairs : sequence of (str, bytes)
            256 MiB at most.

        Raises
        ------
        InvalidError
            A key has more than 65,536 bytes; nothing is stored.
        """
        with self.cache.transaction() as transaction:
            for key, value in key_value_pairs:
                transaction.set(_checked_key(key), value)

    def mdelete(self, keys: Sequence[str]) -> None:
        """Delete keys, all at once. One that is not there changes nothing."""
        with self.cache.transaction() as transaction:
            for key in keys:
                transaction.delete(key)

    def yield_keys(self, *, prefix: str | None = None) -> Iterator[str]:
        """Iterate over the keys that begin with a prefix, as they are at the first step."""
        for key in self.cache:
            if isinstance(key, str) and key.startswith(prefix or ""):
                yield key


class EmbedCacheEmbeddings(Embeddings):
    """`Embeddings` with a cache in front of them: each text is embedded once.

    Parameters
    ----------
    embeddings : Embeddings
        What is asked for texts that are not there.
    cache : EmbedCache
        Of documents. Give it the `model`: only that keeps vectors of different models apart.
    query_cache : EmbedCache, optional
        Of queries: `cache` itself where the model embeds both alike, else one of another space.
        Without, queries are embedded each time.
    **options
        Those of `EmbedCache.get_or_compute`, as `batch_size`.

    Raises
    ------
    InvalidError
        A cache has the role of the other one.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        cache: EmbedCache,
        query_cache: EmbedCache | None = None,
        **options: Any,
    ) -> None:
        _refuse_role("cache", cache, "query")
        if query_cache is not None:
            _refuse_role("query_cache", query_cache, "document")
        self.embeddings = embeddings
        self.cache = cache
        self.query_cache = query_cache
        self.options = options

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vectors of texts; those that are missing are embedded in batches.

        Parameters
        ----------
        texts : list of str

        Returns
        -------
        list of list of float
            Of float32, whether they were there or not.
        """
        embed = self.embeddings.embed_documents
        return _as_lists(self.cache.get_or_compute(texts, embed, **self.options))

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a query.

        Parameters
        ----------
        text : str
            The query.

        Returns
        -------
        list of float
        """
        if self.query_cache is None:
            return self.embeddings.embed_query(text)

        def embed(texts: list[str]) -> list[list[float]]:
            return [self.embeddings.embed_query(text) for text in texts]

        return _as_lists(self.query_cache.get_or_compute([text], embed, **self.options))[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Do what `embed_documents` does, by `aembed_documents` of the embeddings."""
        embed = self.embeddings.aembed_documents
        return _as_lists(await self.cache.aget_or_compute(texts, embed, **self.options))

    async def aembed_query(self, text: str) -> list[float]:
        """Do what `embed_query` does, by `aembed_query` of the embeddings."""
        if self.query_cache is None:
            return await self.embeddings.aembed_query(text)

        async def embed(texts: list[str]) -> list[list[float]]:
            return [await self.embeddings.aembed_query(text) for text in texts]

        found = await self.query_cache.aget_or_compute([text], embed, **self.options)
        return _as_lists(found)[0]


class EmbedCacheVectorStore(VectorStore):
    """A `VectorStore`: documents with their vectors, searched exactly.

    Parameters
    ----------
    cache : EmbedCache
        Keeps the documents: their ids are the keys.
    embedding : Embeddings
        Embeds documents and queries; `EmbedCacheEmbeddings` spares what was embedded before.

    Notes
    -----
    Searches take no `filter`: it is refused.
    """

    def __init__(self, cache: EmbedCache, embedding: Embeddings) -> None:
        self.cache = cache
        self._embedding = embedding

    @property
    def embeddings(self) -> Embeddings:
        """What embeds documents and queries."""
        return self._embedding

    # --- documents ---

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        cache: EmbedCache | None = None,
        **kwargs: Any,
    ) -> EmbedCacheVectorStore:
        """Return a store with texts in it.

        Parameters
        ----------
        texts, metadatas, ids : list
            As in `add_texts`.
        embedding : Embeddings
            As of the store.
        cache : EmbedCache, optional
            As of the store. Without: one in a private temporary file.
        **kwargs
            Refused.
        """
        store = cls(EmbedCache() if cache is None else cache, embedding)
        store.add_texts(texts, metadatas, ids=ids, **kwargs)
        return store

    @classmethod
    async def afrom_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        cache: EmbedCache | None = None,
        **kwargs: Any,
    ) -> EmbedCacheVectorStore:
        """Do what `from_texts` does, without blocking the event loop."""
        store = cls(EmbedCache() if cache is None else cache, embedding)
        await store.aadd_texts(texts, metadatas, ids=ids, **kwargs)
        return store

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Embed texts and store them, in place of what had their ids. All are seen at once.

        Parameters
        ----------
        texts : iterable of str
            n texts.
        metadatas : list of dict, optional
            n dicts that JSON can say.
        ids : sequence of str, optional
            n ids of at most 65,536 bytes. One that is None is made up, as all are without.
        **kwargs
            Refused.

        Returns
        -------
        list of str
            The ids.

        Raises
        ------
        InvalidError
            There are not n of everything, or something cannot be stored: then nothing is.
        TypeError
            Metadata holds what JSON cannot say, as a date; nothing is stored.
        """
        _refuse_options(kwargs)
        texts = list(texts)
        names = _names_of(texts, ids)
        if texts:
            vectors = self._embedding.embed_documents(texts)
            self.cache.set_many(names, vectors, texts=texts, metadata=metadatas)
        return names

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Do what `add_texts` does, by `aembed_documents` of the embeddings."""
        _refuse_options(kwargs)
        texts = list(texts)
        names = _names_of(texts, ids)
        if texts:
            vectors = await self._embedding.aembed_documents(texts)
            await self.cache.aset_many(names, vectors, texts=texts, metadata=metadatas)
        return names

    def delete(self, ids: Sequence[str] | None = None, **kwargs: Any) -> bool:
        """Delete documents, all at once; one that is not there changes nothing.

        Parameters
        ----------
        ids : sequence of str, optional
            Without: all documents.
        **kwargs
            Refused.

        Returns
        -------
        bool
            True.
        """
        _refuse_options(kwargs)
        with self.cache.transaction() as transaction:
            for name in self.cache if ids is None else ids:
                transaction.delete(name)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the documents that are there, in the order of their ids."""
        records = (self.cache.get_record(name) for name in ids)
        return [_document(record) for record in records if record is not None]

    # --- searching ---

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """Return the k documents that are nearest to a query.

        Parameters
        ----------
        query : str
            What is searched for.
        k : int, optional
            How many at most.
        **kwargs
            Refused, `filter` above all.
        """
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Return the k nearest documents with their scores.

        A score is what the metric of the cache says: cosine, dot product, or squared distance.

        Parameters
        ----------
        query : str
            What is searched for.
        k : int, optional
            How many at most.
        **kwargs
            Refused, `filter` above all.
        """
        _refuse_options(kwargs)
        return _scored(self.cache.search(self._embedding.embed_query(query), k))

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, **kwargs: Any
    ) -> list[Document]:
        """Return the k documents that are nearest to a vector.

        Parameters
        ----------
        embedding : list of float
            What is searched for.
        k : int, optional
            How many at most.
        **kwargs
            Refused, `filter` above all.
        """
        _refuse_options(kwargs)
        return [_document(record) for record in self.cache.search(embedding, k).records]

    async def asimilarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """Do what `similarity_search` does, by `aembed_query` of the embeddings."""
        found = await self.asimilarity_search_with_score(query, k, **kwargs)
        return [document for document, _ in found]

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Do what `similarity_search_with_score` does, by `aembed_query` of the embeddings."""
        _refuse_options(kwargs)
        return _scored(await self.cache.asearch(await self._embedding.aembed_query(query), k))

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """Return k documents that are near to a query, and not all alike.

        Parameters
        ----------
        query : str
            What is searched for.
        k : int, optional
            How many documents.
        fetch_k : int, optional
            Among so many of the nearest they are chosen.
        lambda_mult : float, optional
            0: as different as can be; 1: the nearest.
        **kwargs
            Refused.
        """
        embedding = self._embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(
            embedding, k, fetch_k, lambda_mult, **kwargs
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        **kwargs: Any,
    ) -> list[Document]:
        """Do what `max_marginal_relevance_search` does, of a vector."""
        _refuse_options(kwargs)
        records = self.cache.search(embedding, fetch_k).records
        vectors = [record.vector for record in records]
        chosen = maximal_marginal_relevance(
            np.asarray(embedding, np.float32), vectors, lambda_mult, k
        )
        return [_document(records[at]) for at in chosen]

    def _select_relevance_score_fn(self) -> Any:
        if self.cache.metric != "cosine":
            raise InvalidError(
                f"relevance scores are from 0 to 1, and metric {self.cache.metric!r} has no such "
                "scores: use similarity_search_with_score, or a cache of metric 'cosine'"
            )
        return lambda score: min(max(score, 0.0), 1.0)


# --- what they share ---


def _checked_key(key: str) -> str:
    if len(key) > KEY_BYTES_MAX or len(key.encode()) > KEY_BYTES_MAX:
        raise InvalidError(
            f"the key {key!r:.60}... has {len(key.encode())} bytes: {KEY_BYTES_MAX} at most"
        )
    return key


def _names_of(texts: list[str], ids: Sequence[str | None] | None) -> list[str]:
    if ids is not None and len(ids) != len(texts):
        raise InvalidError(f"there are {len(texts)} texts and {len(ids)} ids")
    return [_checked_key(name or str(uuid.uuid4())) for name in ids or [None] * len(texts)]


def _refuse_role(what: str, cache: EmbedCache, role: str) -> None:
    if cache.role == role:
        raise InvalidError(f"{what} has role {role!r}: give it a space of its own for the others")


def _refuse_options(options: dict[str, Any]) -> None:
    if options.pop("filter", None) is not None:
        raise NotImplementedError("filter: searches of a cache take no filter of metadata yet")
    if options:
        raise TypeError(f"unknown: {', '.join(options)}")


def _as_lists(vectors: np.ndarray[Any, Any]) -> list[list[float]]:
    lists: list[list[float]] = vectors.tolist()
    return lists


def _scored(hits: Hits) -> list[tuple[Document, float]]:
    return [
        (_document(record), float(score))
        for record, score in zip(hits.records, hits.scores, strict=True)
    ]


def _document(record: Record) -> Document:
    """Of what others have put without a text the key is the text; bytes are no id."""
    name = record.key if isinstance(record.key, str) else None
    text = record.text if record.text is not None else name or ""
    return Document(id=name, page_content=text, metadata=record.metadata or {})
