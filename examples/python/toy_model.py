# SPDX-License-Identifier: Apache-2.0
"""Stands for a model in the examples: texts are near when they share words. Put yours in its place.

With sentence-transformers it would be `SentenceTransformer("all-MiniLM-L6-v2").encode`, with a
server a function that sends the texts in one request and returns the vectors in their order.
"""

import re
from hashlib import blake2b

import numpy as np

DIMENSION = 256
NAME = "toy-words-256"

calls: list[int] = []  # how many texts each call was given, so that the examples can tell


def embed(texts):
    """Return one vector for each text: shape (len(texts), DIMENSION), of length 1."""
    calls.append(len(texts))
    vectors = np.zeros((len(texts), DIMENSION), np.float32)
    for vector, text in zip(vectors, texts, strict=True):
        for word in re.findall(r"\w+", text.lower()):
            digest = blake2b(word.encode(), digest_size=8).digest()
            at = int.from_bytes(digest[:4], "little") % DIMENSION
            vector[at] += 1 if digest[4] & 1 else -1
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
