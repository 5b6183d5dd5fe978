# SPDX-License-Identifier: Apache-2.0
"""`embeddings.create` of OpenAI's clients, with a cache in front of it.

>>> client = openai.OpenAI()
>>> client.embeddings = EmbedCacheOpenAI(client.embeddings, "openai.edb")

Each model, and each `dimensions` that was asked for, has a space of its own in the file: a shorter
vector never answers for a whole one. What is no text, or may change what a text's vector is, goes
to the client as it is, past the cache.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from openai.resources import AsyncEmbeddings, Embeddings
    from openai.types import CreateEmbeddingResponse, Embedding
    from openai.types.create_embedding_response import Usage
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("openai"):
        raise
    raise ImportError("embedcache.adapters.openai needs openai: pip install openai") from None

from embedcache.adapters.spaces import Spaces
from embedcache.cache import EmbedCache
from embedcache.errors import InvalidError
from embedcache.plan import Embedded

TEXTS_AT_ONCE = 2048  # what the API takes in one request
# Beside these, words of `create` may change the vectors: then nothing is cached.
HARMLESS = frozenset(("encoding_format", "user", "extra_headers", "timeout"))

Floats = NDArray[np.float32]


class EmbedCacheOpenAI(Spaces):
    """`client.embeddings` of an `OpenAI` with a cache in front of it.

    Parameters
    ----------
    embeddings : openai.resources.Embeddings
        What is asked for texts that are not there.
    path : str or os.PathLike
        Of the file. A model is known by its name: take another file for another server.
    **options
        Those of `EmbedCache`, as `durability`.
    """

    def __init__(
        self, embeddings: Embeddings, path: str | os.PathLike[str], **options: Any
    ) -> None:
        super().__init__(path, options)
        self.embeddings = embeddings

    def __getattr__(self, name: str) -> Any:
        return getattr(self.embeddings, name)

    def create(
        self, *, input: Any, model: str, dimensions: int | None = None, **words: Any
    ) -> CreateEmbeddingResponse:
        """Return embeddings; texts that are missing are asked for, each once.

        Parameters
        ----------
        input : str or list of str
            Tokens go past the cache.
        model, dimensions : optional
            As of the client.
        **words
            As of the client; of those that are cached `encoding_format`, `user`, `extra_headers`
            and `timeout`.

        Returns
        -------
        CreateEmbeddingResponse
            Its `usage` is what this call has cost: nothing for what was there.
        """
        texts = _texts_of(input, words)
        asked = _asked(model, dimensions, words)
        if texts is None:
            return self.embeddings.create(input=input, **asked)
        spent = _Spent()

        def embed(missing: list[str]) -> Embedded:
            return spent.checked(missing, self.embeddings.create(input=missing, **_sent(asked)))

        cache = _cache_of(self, model, dimensions)
        vectors = cache.get_or_compute(texts, embed, batch_size=TEXTS_AT_ONCE)
        return _response(vectors, model, words, spent)


class EmbedCacheAsyncOpenAI(Spaces):
    """`client.embeddings` of an `AsyncOpenAI` with a cache in front of it.

    Parameters
    ----------
    embeddings : openai.resources.AsyncEmbeddings
        What is asked for texts that are not there.
    path, **options
        As of `EmbedCacheOpenAI`.
    """

    def __init__(
        self, embeddings: AsyncEmbeddings, path: str | os.PathLike[str], **options: Any
    ) -> None:
        super().__init__(path, options)
        self.embeddings = embeddings

    def __getattr__(self, name: str) -> Any:
        return getattr(self.embeddings, name)

    async def create(
        self, *, input: Any, model: str, dimensions: int | None = None, **words: Any
    ) -> CreateEmbeddingResponse:
        """Do what `create` of `EmbedCacheOpenAI` does, without blocking the event loop."""
        texts = _texts_of(input, words)
        asked = _asked(model, dimensions, words)
        if texts is None:
            return await self.embeddings.create(input=input, **asked)
        spent = _Spent()

        async def embed(missing: list[str]) -> Embedded:
            answer = await self.embeddings.create(input=missing, **_sent(asked))
            return spent.checked(missing, answer)

        cache = _cache_of(self, model, dimensions)
        vectors = await cache.aget_or_compute(texts, embed, batch_size=TEXTS_AT_ONCE)
        return _response(vectors, model, words, spent)


# --- what is asked ---


def _cache_of(spaces: Spaces, model: str, dimensions: int | None) -> EmbedCache:
    space = model if dimensions is None else f"{model}, {dimensions} dimensions"
    return spaces.open(space, model, dimensions)


def _texts_of(given: Any, words: dict[str, Any]) -> list[str] | None:
    """The texts that may be cached, None where the client has to see the call as it is."""
    if not HARMLESS.issuperset(words):
        return None
    texts = [given] if isinstance(given, str) else given
    # To look into an iterator would use it up.
    listed = isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts)
    return list(texts) if texts and listed else None


def _asked(model: str, dimensions: int | None, words: dict[str, Any]) -> dict[str, Any]:
    return {"model": model, **({} if dimensions is None else {"dimensions": dimensions}), **words}


def _sent(asked: dict[str, Any]) -> dict[str, Any]:
    """Without "base64" the client asks for base64 all the same, and gives floats."""
    if asked.get("encoding_format") != "base64":
        return asked
    return {word: value for word, value in asked.items() if word != "encoding_format"}


# --- what is answered ---


class _Spent:
    """Tokens of the requests of one call."""

    def __init__(self) -> None:
        self.prompt = self.total = 0

    def checked(self, texts: list[str], answer: CreateEmbeddingResponse) -> Embedded:
        """Vectors in the order of the texts, whatever the server's was."""
        usage = answer.usage
        self.prompt += usage.prompt_tokens if usage else 0
        self.total += usage.total_tokens if usage else 0
        vectors = {item.index: item.embedding for item in answer.data}
        if vectors.keys() != set(range(len(texts))) or len(answer.data) != len(texts):
            raise InvalidError(
                f"the server was given {len(texts)} texts, and answered those of index "
                f"{[item.index for item in answer.data]!s:.60}"
            )
        vectors_in_order = [vectors[index] for index in range(len(texts))]
        return Embedded(vectors_in_order, cost=usage.total_tokens if usage else 0)


def _response(
    vectors: Floats, model: str, words: dict[str, Any], spent: _Spent
) -> CreateEmbeddingResponse:
    embeddings: Iterable[Any] = vectors.tolist()
    if words.get("encoding_format") == "base64":
        embeddings = (base64.b64encode(vector.astype("<f4")).decode() for vector in vectors)
    return CreateEmbeddingResponse.construct(
        object="list",
        model=model,
        data=[
            Embedding.construct(object="embedding", index=index, embedding=embedding)
            for index, embedding in enumerate(embeddings)
        ],
        usage=Usage(prompt_tokens=spent.prompt, total_tokens=spent.total),
    )
