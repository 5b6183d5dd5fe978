# SPDX-License-Identifier: Apache-2.0
"""The whole of it: embed once, get it back, search.

python3 quickstart.py [cache.edb]
"""

import sys

import toy_model
from embedcache import EmbedCache

NOTES = [
    "The kettle is on the stove.",
    "Whales are the largest animals.",
    "Cats sleep most of the day.",
    "A kettle boils water.",
]


def main(path="quickstart.edb"):
    with EmbedCache(path, toy_model.DIMENSION, toy_model.NAME) as cache:
        vectors = cache.get_or_compute(NOTES, toy_model.embed)
        print(f"shape {vectors.shape}, embedded: {sum(toy_model.calls)}")

        vectors = cache.get_or_compute([*NOTES, "Tea needs hot water."], toy_model.embed)
        print(f"shape {vectors.shape}, embedded: {sum(toy_model.calls)}")

        [query] = toy_model.embed(["Which animals are the largest?"])
        hits = cache.search(query, k=2)
        for key, score in zip(hits.keys, hits.scores, strict=True):
            print(f"{score:.3f}  {key}")


if __name__ == "__main__":
    main(*sys.argv[1:])
