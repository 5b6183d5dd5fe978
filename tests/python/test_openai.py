# SPDX-License-Identifier: Apache-2.0
"""OpenAI's clients with a cache in front: what they answer is the same, and asked for once."""

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from embedcache import EmbedCache, InvalidError

pytest.importorskip("openai", reason="openai is not installed")

import openai
from embedcache.adapters.openai import EmbedCacheAsyncOpenAI, EmbedCacheOpenAI

CLI = Path(__file__).parents[1] / "cli"


class Server:
    """`embedding_server.py` of the tests of the command."""

    def __init__(self, log):
        self.log = log
        program = [sys.executable, CLI / "embedding_server.py", log]
        self.process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self.process.stdout.readline())

    def client(self, kind=openai.OpenAI, modes="good"):
        address = f"http://127.0.0.1:{self.port}/{modes}/v1"
        return kind(base_url=address, api_key="a key", max_retries=0)

    def texts(self):
        return [request["texts"] for request in self.requests()]

    def requests(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "requests.jsonl")
    yield server
    server.process.communicate()


@pytest.fixture
def plain(server):
    with server.client() as client:
        yield client


@pytest.fixture
def cached(server, path):
    with server.client() as client:
        client.embeddings = EmbedCacheOpenAI(client.embeddings, path)
        yield client
        client.embeddings.close()


def vectors_of(response):
    assert [item.index for item in response.data] == list(range(len(response.data)))
    return [item.embedding for item in response.data]


@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}])
def test_the_answer_is_the_same_and_asked_for_once(plain, cached, server, encoding):
    wanted = plain.embeddings.create(model="m", input=["a", "b", "a"], **encoding)
    for _ in range(2):
        got = cached.embeddings.create(model="m", input=["a", "b", "a"], **encoding)
        assert vectors_of(got) == np.float32(vectors_of(wanted)).tolist()
        assert (got.model, got.object) == (wanted.model, wanted.object)
    got = cached.embeddings.create(model="m", input="b")
    assert vectors_of(got) == vectors_of(plain.embeddings.create(model="m", input="b"))
    assert server.texts()[:-1] == [["a", "b", "a"], ["a", "b"]]


def test_base64_is_that_of_the_server(plain, cached):
    wanted = plain.embeddings.create(model="m", input=["a", "b"], encoding_format="base64")
    for _ in range(2):
        got = cached.embeddings.create(model="m", input=["a", "b"], encoding_format="base64")
        assert vectors_of(got) == vectors_of(wanted)
    assert len(base64.b64decode(vectors_of(got)[0])) == 32


def test_usage_is_what_was_spent(cached, path):
    def spent(texts):
        usage = cached.embeddings.create(model="m", input=texts).usage
        return usage.prompt_tokens, usage.total_tokens

    assert [spent(["a", "b"]), spent(["a", "b"]), spent(["a", "c", "c"])] == [
        (6, 6),
        (0, 0),
        (3, 3),
    ]
    assert EmbedCache(path, model="m", space="m").stats().hit_cost == 9


def test_models_and_dimensions_keep_apart(cached, server, path):
    for model, dimensions in [("m", {}), ("m", {"dimensions": 3}), ("n", {}), ("m", {})]:
        got = cached.embeddings.create(model=model, input=["a"], **dimensions)
        assert len(vectors_of(got)[0]) == dimensions.get("dimensions", 8)
    sent = [request["request"] for request in server.requests()]
    assert [(each["model"], each.get("dimensions")) for each in sent] == [
        ("m", None),
        ("m", 3),
        ("n", None),
    ]
    assert EmbedCache(path, 3, "m", space="m, 3 dimensions").get("a") is not None


class Recorder:
    """Stands for `client.embeddings`; answers with what it was asked."""

    other = "of the client"

    def create(self, **words):
        return words


@pytest.mark.parametrize(
    "words",
    [
        {"input": [[1, 2], [3]]},
        {"input": [1, 2]},
        {"input": []},
        {"input": ["a", [1]]},
        {"input": "a", "extra_body": {"truncate": True}},
        {"input": ["a"], "extra_query": {}, "dimensions": 3},
    ],
)
def test_what_may_change_vectors_goes_past_the_cache(path, words):
    embeddings = EmbedCacheOpenAI(Recorder(), path)
    for _ in range(2):
        assert embeddings.create(model="m", **words) == {"model": "m", **words}
    assert not path.exists() and embeddings.other == "of the client"


def test_what_changes_nothing_is_sent_with_what_is_missing(cached, server):
    for _ in range(2):
        cached.embeddings.create(model="m", input=["a"], user="me", timeout=9)
    assert [request["request"]["user"] for request in server.requests()] == ["me"]
    assert cached.embeddings.with_raw_response.create(model="m", input=["a"]).parse().data


@pytest.mark.parametrize("mode", ["twice", "beyond", "missing", "surplus", "noindex"])
def test_an_answer_that_does_not_fit_is_refused_whole(server, path, mode):
    with server.client(modes=mode) as client:
        embeddings = EmbedCacheOpenAI(client.embeddings, path)
        with pytest.raises(InvalidError, match="2 texts"):
            embeddings.create(model="m", input=["a", "b"])
        embeddings.close()
    assert len(EmbedCache(path, 8, space="m")) == 0


def test_the_order_of_the_server_does_not_matter(server, path, plain):
    with server.client(modes="shuffle") as client:
        got = EmbedCacheOpenAI(client.embeddings, path).create(model="m", input=["a", "b"])
    wanted = plain.embeddings.create(model="m", input=["a", "b"])
    assert vectors_of(got) == vectors_of(wanted)


def test_an_error_of_the_server_is_raised_as_it_is(server, path):
    with server.client(modes="fail=1,status=429") as client:
        embeddings = EmbedCacheOpenAI(client.embeddings, path)
        with pytest.raises(openai.RateLimitError):
            embeddings.create(model="m", input=["a"])
        assert len(embeddings.create(model="m", input=["a"]).data) == 1
        embeddings.close()


def test_the_asynchronous_client(server, path, plain):
    async def ask():
        async with server.client(openai.AsyncOpenAI) as client:
            client.embeddings = EmbedCacheAsyncOpenAI(client.embeddings, path, durability="durable")
            first = await client.embeddings.create(model="m", input=["a", "b"])
            second = await client.embeddings.create(model="m", input=["a", "b"])
            shorter = await client.embeddings.create(
                model="m", input="a", dimensions=2, encoding_format="base64"
            )
            client.embeddings.close()
            return first, second, shorter

    first, second, shorter = asyncio.run(ask())
    wanted = vectors_of(plain.embeddings.create(model="m", input=["a", "b"]))
    assert vectors_of(first) == vectors_of(second) == wanted
    assert (first.usage.total_tokens, second.usage.total_tokens) == (6, 0)
    assert len(base64.b64decode(vectors_of(shorter)[0])) == 8
    assert server.texts()[:-1] == [["a", "b"], ["a"]]


def test_without_openai_one_sentence_says_so():
    program = "import sys; sys.modules['openai'] = None; import embedcache.adapters.openai"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 1 and ran.stderr.splitlines()[-1] == (
        "ImportError: embedcache.adapters.openai needs openai: pip install openai"
    )
