# SPDX-License-Identifier: Apache-2.0
"""Replace the memory map of a training loop with workers: same code, same numbers, no wrong rows.

    python3 training_loop.py [cache.edb]

The dataset holds the cache as it would hold an np.memmap. Workers get it by fork or by spawn, and
each opens the file by itself. Unlike a memory map it may grow meanwhile, says which vectors are
missing, and has a key for each row. `torch.utils.data.DataLoader(Features(cache, labels),
num_workers=2)` works the same; here a pool of processes takes its place, so that the example needs
nothing but NumPy.
"""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from embedcache import EmbedCache

ROWS, DIMENSION, BATCH, WORKERS, EPOCHS = 4000, 32, 250, 2, 5


class Features:
    """A dataset: item -> (vector, label)."""

    def __init__(self, vectors, labels):
        self.vectors = vectors  # an EmbedCache, or an np.memmap: both take a list of rows
        self.labels = labels

    def __len__(self):
        return len(self.labels)

    def __getitems__(self, rows):  # as a DataLoader asks for a batch
        return self.vectors[rows], self.labels[rows]


dataset = None


def take(given):
    global dataset
    dataset = given


def fetch(rows):
    return dataset.__getitems__(rows)


def batches(data, epoch, pool):
    """The batches of an epoch in a random order, fetched by the workers."""
    order = np.random.default_rng(epoch).permutation(len(data))
    yield from pool.map(fetch, [order[at : at + BATCH] for at in range(0, len(order), BATCH)])


def train(data, kind="fork"):
    """Logistic regression by gradient descent; returns the weights and how many it gets right."""
    weights, right = np.zeros(DIMENSION), 0
    context = multiprocessing.get_context(kind)
    with ProcessPoolExecutor(WORKERS, context, take, (data,)) as pool:
        for epoch in range(EPOCHS):
            right = 0
            for vectors, labels in batches(data, epoch, pool):
                scores = vectors.astype(np.float64) @ weights
                right += int(((scores > 0) == labels).sum())
                error = 1 / (1 + np.exp(-scores)) - labels
                weights -= 0.5 / BATCH * (error @ vectors)
    return weights, right / len(data)


def main(path="training.edb"):
    chance = np.random.default_rng(1)
    vectors = chance.standard_normal((ROWS, DIMENSION)).astype(np.float32)
    labels = vectors @ chance.standard_normal(DIMENSION) > 0
    vectors.tofile(f"{path}.raw")
    memmap = np.memmap(f"{path}.raw", np.float32, "r", shape=(ROWS, DIMENSION))
    with EmbedCache(path, DIMENSION) as cache:
        if len(cache) == 0:
            cache.set_many([f"sample {i}" for i in range(ROWS)], vectors)
        by_memmap, _ = train(Features(memmap, labels))
        for kind in ("fork", "spawn"):
            by_cache, accuracy = train(Features(cache, labels), kind)
            same = "the same" if (by_cache == by_memmap).all() else "OTHER"
            print(f"{kind}: accuracy {accuracy:.2f}, {same} weights as with the memory map")


if __name__ == "__main__":
    main(*sys.argv[1:])
