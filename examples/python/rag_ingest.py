# SPDX-License-Identifier: Apache-2.0
"""Ingest documents for retrieval, and go on where it was broken off.

    python3 rag_ingest.py cache.edb DIRECTORY ["a question"]

Each paragraph of each .txt and .md file below DIRECTORY is embedded once. Break it off with Ctrl-C
or kill it: finished batches are stored, and the next run embeds what is left. Run it in two
terminals at once: they share the work. A paragraph that was edited is another text, so it alone is
embedded again.
"""

import sys
from pathlib import Path

import toy_model
from embedcache import EmbedCache

BATCH = 64  # texts of one request; all that can be lost


def pieces_of(directory):
    """The paragraphs of all documents, without repeats, and in which files each one stands."""
    pieces = {}
    for path in sorted(Path(directory).rglob("*")):
        if path.suffix in (".txt", ".md"):
            for paragraph in path.read_text(errors="replace").split("\n\n"):
                if piece := " ".join(paragraph.split()):
                    pieces.setdefault(piece, set()).add(path.name)
    return pieces


def ingest(cache, pieces, embed=toy_model.embed):
    """Embed what is not there yet; say how much that was, and what the rest has saved."""
    before = len(cache)
    cache.get_or_compute(pieces, embed, batch_size=BATCH, cost=len, progress=sys.stderr.isatty())
    new = len(cache) - before
    print(f"{len(pieces)} pieces: {len(pieces) - new} were there, {new} embedded")


def ask(cache, pieces, question):
    """Print the pieces that are nearest to a question, as they would go into a prompt."""
    [query] = toy_model.embed([question])
    hits = cache.search(query, k=3, threshold=0.1)
    for piece, score in zip(hits.keys, hits.scores, strict=True):
        print(f"{score:.3f}  {piece}  ({', '.join(sorted(pieces.get(piece, {'gone'})))})")


def main(path, directory, question=None):
    pieces = pieces_of(directory)
    with EmbedCache(path, toy_model.DIMENSION, toy_model.NAME, role="document") as cache:
        ingest(cache, pieces)
        if question is not None:
            ask(cache, pieces, question)


if __name__ == "__main__":
    main(*sys.argv[1:])
