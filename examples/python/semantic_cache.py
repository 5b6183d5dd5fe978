# SPDX-License-Identifier: Apache-2.0
"""Answer a question that was asked before, in nearly the same words, without asking the model.

    python3 semantic_cache.py [cache.edb]

The key is the question, the answer stands beside it as text. How near is near enough is for you to
measure, on pairs of questions of your own: too low a threshold gives answers to other questions.
"""

import sys

import toy_model
from embedcache import EmbedCache

NEAR_ENOUGH = 0.8
HOUR_S = 3600


class Answers:
    """A function from a question to an answer, with a semantic cache in front of it."""

    def __init__(self, cache, ask_model):
        self.cache = cache
        self.ask_model = ask_model

    def __call__(self, question):
        [vector] = toy_model.embed([question])
        known = self.cache.find_similar(vector)
        if known is not None:
            key, score = known
            record = self.cache.get_record(key)
            if record is not None:  # nobody has deleted it meanwhile
                print(f"{question}\n  as {key!r} ({score:.2f}): {record.text}")
                return record.text
        answer = self.ask_model(question)
        self.cache.set(question, vector, text=answer, ttl=24 * HOUR_S)
        print(f"{question}\n  asked: {answer}")
        return answer


def main(path="answers.edb"):
    def ask_model(question):  # put the call of yours here
        return f"It depends on {question.split()[-1].strip('?')}."

    with EmbedCache(
        path, toy_model.DIMENSION, toy_model.NAME, similarity_threshold=NEAR_ENOUGH
    ) as cache:
        answers = Answers(cache, ask_model)
        answers("How long do I boil an egg?")
        answers("how long do I boil an egg")
        answers("How long do I boil one egg?")
        answers("What is the capital of Peru?")


if __name__ == "__main__":
    main(*sys.argv[1:])
