# SPDX-License-Identifier: Apache-2.0
"""LangChain's own tests of byte stores, embeddings and vector stores."""

import pytest

pytest.importorskip("langchain_tests", reason="langchain-tests is not installed: make proof")

from embedcache import EmbedCache
from embedcache.adapters.langchain import (
    EmbedCacheByteStore,
    EmbedCacheEmbeddings,
    EmbedCacheVectorStore,
)
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_tests.integration_tests import (
    BaseStoreAsyncTests,
    BaseStoreSyncTests,
    EmbeddingsIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.unit_tests import EmbeddingsUnitTests

VALUES = b"foo", b"\x00\xff\x00", b""


class TestByteStore(BaseStoreSyncTests[bytes]):
    @pytest.fixture
    def kv_store(self, tmp_path):
        with EmbedCache(tmp_path / "bytes.edb", dimension=0) as cache:
            yield EmbedCacheByteStore(cache)

    @pytest.fixture
    def three_values(self):
        return VALUES


class TestByteStoreAsync(BaseStoreAsyncTests[bytes]):
    @pytest.fixture
    async def kv_store(self, tmp_path):
        async with EmbedCache(tmp_path / "bytes.edb", dimension=0) as cache:
            yield EmbedCacheByteStore(cache)

    @pytest.fixture
    def three_values(self):
        return VALUES


class CachedEmbeddings:
    @property
    def embeddings_class(self):
        return EmbedCacheEmbeddings

    @property
    def embedding_model_params(self):
        cache = EmbedCache(model="fake")
        return {
            "embeddings": DeterministicFakeEmbedding(size=6),
            "cache": cache,
            "query_cache": cache,
        }


class TestEmbeddingsUnit(CachedEmbeddings, EmbeddingsUnitTests):
    pass


class TestEmbeddings(CachedEmbeddings, EmbeddingsIntegrationTests):
    pass


class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path):
        with EmbedCache(tmp_path / "documents.edb") as cache:
            yield EmbedCacheVectorStore(cache, self.get_embeddings())
