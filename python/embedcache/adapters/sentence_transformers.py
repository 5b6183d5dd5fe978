# SPDX-License-Identifier: Apache-2.0
"""`encode` of a SentenceTransformer, with a cache in front of it.

The package itself is not imported: whatever has its `encode` will do. What may change a vector
(prompt, normalizing, truncating, and the method) is part of the name of the space. What gives no
float32 array of one vector a text goes to the model as it is, past the cache.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedcache.adapters.spaces import Spaces

TEXTS_AT_ONCE = 1024  # of one commit; the model makes batches of its own of them

# Say how, not what; `batch_size` is the model's own.
HARMLESS = ("batch_size", "show_progress_bar", "device", "pool", "chunk_size")
TELLING = ("prompt_name", "prompt", "normalize_embeddings", "truncate_dim")
# What they have to be, where they are said.
FIXED = {
    "output_value": "sentence_embedding",
    "precision": "float32",
    "convert_to_numpy": True,
    "convert_to_tensor": False,
}


class EmbedCacheSentenceTransformer(Spaces):
    """A SentenceTransformer with a cache in front of it; all else is that of the model.

    Parameters
    ----------
    model : SentenceTransformer
        Is asked for texts that are not there.
    path : str or os.PathLike
        Of the file.
    name : str
        Of the model, as it was loaded: it does not tell by itself.
    **options
        Those of `EmbedCache`, as `durability` or `revision`.
    """

    def __init__(self, model: Any, path: str | os.PathLike[str], name: str, **options: Any) -> None:
        super().__init__(path, options)
        self.model = model
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.model, attribute)

    def encode(self, sentences: Any, **words: Any) -> Any:
        """Return the vectors of texts; those that are missing are encoded, each once.

        Parameters
        ----------
        sentences : str, or list, tuple or array of str
            A text or n texts.
        **words
            As of the model.

        Returns
        -------
        numpy.ndarray
            Shape (dimension,) of one text, (n, dimension) of n, float32. Past the cache: whatever
            the model returns.
        """
        return self._encoded(self.model.encode, "", sentences, words)

    def encode_query(self, sentences: Any, **words: Any) -> Any:
        """Do what `encode` does, of queries, by `encode_query` of the model."""
        return self._encoded(self.model.encode_query, ", queries", sentences, words)

    def encode_document(self, sentences: Any, **words: Any) -> Any:
        """Do what `encode` does, of documents, by `encode_document` of the model."""
        return self._encoded(self.model.encode_document, ", documents", sentences, words)

    def _encoded(
        self, encode: Callable[..., Any], kind: str, sentences: Any, words: dict[str, Any]
    ) -> Any:
        texts = _texts_of(sentences)
        if not texts or not _may_be_cached(words):
            return encode(sentences, **words)

        def embed(missing: list[str]) -> Any:
            return encode(missing, **words)

        cache = self.open(self.name + kind + self._variant(words), self.name, None)
        vectors: NDArray[np.float32] = cache.get_or_compute(texts, embed, batch_size=TEXTS_AT_ONCE)
        return vectors[0] if isinstance(sentences, str) else vectors

    def _variant(self, words: dict[str, Any]) -> str:
        """What of the model's state and of the words may change a vector."""
        variant = ""
        if words.get("normalize_embeddings"):
            variant += ", normalized"
        dims = words.get("truncate_dim") or getattr(self.model, "truncate_dim", None)
        if dims is not None:
            variant += f", {dims} dimensions"
        prompt = self._prompt(words)
        if prompt:
            variant += f", prompt {hashlib.sha256(prompt.encode()).hexdigest()[:16]}"
        return variant

    def _prompt(self, words: dict[str, Any]) -> str | None:
        if words.get("prompt") is not None:
            return str(words["prompt"])
        name = words.get("prompt_name") or getattr(self.model, "default_prompt_name", None)
        prompts = getattr(self.model, "prompts", None) or {}
        return prompts.get(name, name)


def _texts_of(sentences: Any) -> list[str] | None:
    if isinstance(sentences, str):
        return [sentences]
    if isinstance(sentences, np.ndarray):
        sentences = sentences.tolist()
    if isinstance(sentences, list | tuple) and all(isinstance(text, str) for text in sentences):
        return list(sentences)
    return None


def _may_be_cached(words: dict[str, Any]) -> bool:
    return all(
        word in HARMLESS or word in TELLING or (word in FIXED and value == FIXED[word])
        for word, value in words.items()
    )
