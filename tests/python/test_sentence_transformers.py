# SPDX-License-Identifier: Apache-2.0
"""`encode` with a cache in front, over a stand-in: the package itself is too large here."""

import numpy as np
import pytest
from embedcache import EmbedCache
from embedcache.adapters.sentence_transformers import EmbedCacheSentenceTransformer


class StandIn:
    """Encodes as version 5 of sentence-transformers says it does; the vectors mean nothing."""

    def __init__(self, truncate_dim=None, default_prompt_name=None):
        self.prompts = {"query": "find: ", "document": ""}
        self.truncate_dim = truncate_dim
        self.default_prompt_name = default_prompt_name
        self.max_seq_length = 512
        self.calls = []

    def encode(
        self, sentences, prompt_name=None, prompt=None, batch_size=32, show_progress_bar=None,
        output_value="sentence_embedding", precision="float32", convert_to_numpy=True,
        convert_to_tensor=False, device=None, normalize_embeddings=False, truncate_dim=None,
        pool=None, chunk_size=None, **kwargs,
    ):  # fmt: skip
        self.calls.append(sentences)
        single = isinstance(sentences, str)
        prompt = prompt or self.prompts.get(prompt_name or self.default_prompt_name, "")
        rows = [self._vector(prompt + text) for text in ([sentences] if single else sentences)]
        vectors = np.array(rows, np.float32)[:, : truncate_dim or self.truncate_dim]
        if normalize_embeddings:
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = vectors.astype(precision)
        if not convert_to_numpy or convert_to_tensor:
            vectors = vectors.tolist()
        return vectors[0] if single else vectors

    def encode_query(self, sentences, **words):
        return self.encode(sentences, **{"prompt_name": "query", **words})

    def encode_document(self, sentences, **words):
        return self.encode(sentences, **{"prompt_name": "document", **words})

    def _vector(self, text):
        return [len(text), text.count("a") + 1, text.count("e"), 1]


@pytest.fixture
def model():
    return StandIn()


@pytest.fixture
def cached(model, path):
    encoder = EmbedCacheSentenceTransformer(model, path, "toy")
    yield encoder
    encoder.close()


def test_each_text_is_encoded_once(cached, model, path):
    wanted = StandIn().encode(["a", "be", "a"])
    for given in (["a", "be", "a"], ("a", "be", "a"), np.array(["a", "be", "a"])):
        got = cached.encode(given, batch_size=2, show_progress_bar=False)
        assert got.dtype == np.float32 and (got == wanted).all()
    one = cached.encode("be")
    assert one.shape == (4,) and (one == wanted[1]).all()
    assert model.calls == [["a", "be"]] and cached.max_seq_length == 512
    assert list(EmbedCache(path, model="toy", space="toy")) == ["a", "be"]


WORDS = [
    {},
    {"normalize_embeddings": True},
    {"truncate_dim": 2},
    {"truncate_dim": 3},
    {"prompt": "x: "},
    {"prompt_name": "query"},
    {"prompt": "x: ", "normalize_embeddings": True},
]


def test_what_changes_a_vector_keeps_them_apart(cached, model):
    for _ in range(2):
        for words in WORDS:
            assert (cached.encode(["bee"], **words) == StandIn().encode(["bee"], **words)).all()
        for kind in ("encode_query", "encode_document"):
            wanted = getattr(StandIn(), kind)(["bee"])
            assert (getattr(cached, kind)(["bee"]) == wanted).all()
    assert len(model.calls) == len(WORDS) + 2


@pytest.mark.parametrize("state", [{"truncate_dim": 2}, {"default_prompt_name": "query"}])
def test_the_state_of_the_model_keeps_them_apart_too(cached, path, state):
    cached.encode(["bee"])
    other = EmbedCacheSentenceTransformer(StandIn(**state), path, "toy")
    assert (other.encode(["bee"]) == StandIn(**state).encode(["bee"])).all()


@pytest.mark.parametrize(
    "words",
    [
        {"convert_to_tensor": True},
        {"convert_to_numpy": False},
        {"precision": "int8"},
        {"task": "retrieval"},
        {"task": "task"},
    ],
)
def test_what_is_no_array_of_floats_goes_past_the_cache(cached, model, path, words):
    for _ in range(2):
        assert np.array_equal(cached.encode(["a"], **words), StandIn().encode(["a"], **words))
    assert len(model.calls) == 2 and not path.exists()


def test_what_is_no_list_of_texts_goes_past_the_cache(cached, model, path):
    with pytest.raises(TypeError):
        cached.encode([["a", "pair"]])
    with pytest.raises(IndexError):
        cached.encode([])
    assert model.calls == [[["a", "pair"]], []] and not path.exists()
