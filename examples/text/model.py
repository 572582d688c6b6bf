"""The generator: an n-gram language model, steered by word vectors, biased by adapters, and sampled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.text.data import UNKNOWN, Tokens

Floats = NDArray[np.float64]

TEXTS, LENGTH = 256, 16  # how many texts are written side by side, and their words
STEERING = 3.0  # nats for a word whose vector points where the prompt does
KEYWORD = 1.5  # nats for a word of the prompt itself, where no word vectors are at hand
PRIOR = 1000.0  # words that the untrained model has read, so to say: they follow Zipf's law
SHARPNESS = 1.5  # power of a follower's count: frequent ones count more
RARE = 2  # triples seen less often are forgotten
ADAPTER_DOUBT = 2000.0  # words' worth of trust in the base model, when an adapter is trained
ADAPTER_STRENGTH = 0.5


class Follows(NamedTuple):
    """What follows each context of one or two words: context i has the words start[i]:start[i + 1]."""

    contexts: NDArray[np.int64]  # sorted; a pair is one number
    start: NDArray[np.int64]
    words: NDArray[np.int32]
    chances: Floats  # add up to one in each context
    trust: Floats  # how far the context is believed against a shorter one (Witten and Bell 1991)


class Language(NamedTuple):
    """What was learned from corpora: chances of single words (V,), and what follows one and two words."""

    words: Floats
    after_one: Follows
    after_two: Follows


def train(corpora: list[Tokens], size: int) -> Language:
    """Count words, pairs and triples of the corpora; none leaves Zipf's law over all `size` words."""
    text = np.concatenate([*corpora, np.array([UNKNOWN])])
    zipf = 1 / np.arange(1, size + 1)
    words = np.bincount(text[text != UNKNOWN], minlength=size) + PRIOR * zipf / zipf.sum()
    return Language(words / words.sum(), _follows(text, 1, 1, size), _follows(text, 2, RARE, size))


def _follows(text: Tokens, length: int, least: int, size: int) -> Follows:
    columns = [text[offset : len(text) - length + offset] for offset in range(length + 1)]
    known = np.all([column != UNKNOWN for column in columns], axis=0)
    joined = sum(column[known] * size ** (length - place) for place, column in enumerate(columns))
    keys, counts = np.unique(joined, return_counts=True)
    # Context -1, never believed, comes first, so that any context can be pointed to something.
    keys, counts = np.append(-size, keys[counts >= least]), np.append(0, counts[counts >= least])
    contexts, start, distinct = np.unique(keys // size, return_index=True, return_counts=True)
    seen, sharp = np.add.reduceat(counts, start), counts**SHARPNESS
    whole = np.maximum(np.add.reduceat(sharp, start), 1)
    return Follows(
        contexts,
        np.append(start, len(keys)),
        (keys % size).astype(np.int32),
        sharp / np.repeat(whole, distinct),
        seen / (seen + distinct),
    )


def adapt(words: Floats, bias: Floats, text: Tokens) -> Floats:
    """Move the bias (V,), in nats, towards a tuner's text: the log ratio of its words to the model's so far.

    Adapters are stacked: each is trained on top of those before it.
    """
    expected = words * np.exp(bias)
    expected /= expected.sum()
    counts = np.bincount(text[text != UNKNOWN], minlength=len(words))
    observed = (counts + ADAPTER_DOUBT * expected) / (counts.sum() + ADAPTER_DOUBT)
    moved: Floats = bias + ADAPTER_STRENGTH * np.log(observed / expected)
    return moved


def steer(asked: Tokens, vectors: Floats | None, size: int) -> Floats:
    """What a prompt adds to each word (V,), in nats: by meaning with word vectors, else to its own words."""
    bias = np.zeros(size)
    if not len(asked):
        return bias
    if vectors is None:
        bias[asked] = KEYWORD
        return bias
    centred = vectors - vectors.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    direction = unit[asked].mean(axis=0)
    steered: Floats = STEERING * np.maximum(unit @ (direction / np.linalg.norm(direction)), 0)
    return steered


class _Lifted(NamedTuple):
    """Followers with their biased chances laid end to end on one line."""

    follows: Follows
    line: Floats

    def find(self, context: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """Per context its trust, and where its followers begin and end on the line."""
        contexts, start = self.follows.contexts, self.follows.start
        place = np.minimum(np.searchsorted(contexts, context), len(contexts) - 1)
        place = np.where(contexts[place] == context, place, 0)
        return self.follows.trust[place], self.line[start[place]], self.line[start[place + 1]]

    def word_at(self, point: Floats) -> Tokens:
        """The word on whose piece of the line each point lies."""
        index = np.searchsorted(self.line, point, side="right") - 1
        return self.follows.words[np.clip(index, 0, len(self.follows.words) - 1)].astype(np.int64)


def _lift(follows: Follows, lift: Floats) -> _Lifted:
    return _Lifted(follows, np.concatenate([[0.0], np.cumsum(follows.chances * lift[follows.words])]))


def generate(language: Language, bias: Floats, phrases: bool, full_stop: int, chance: Floats) -> Tokens:
    """Write texts side by side; `chance` (TEXTS, LENGTH), from 0 to 1, decides each word of the result.

    phrases: look at the one and two words before; else word by word. A word's weight is its chance in the blend
    of the three, times exp(bias). All weights lie end to end, longest context first; chance points to one.
    """
    lift = np.exp(bias)
    single = np.cumsum(language.words * lift)
    one, two = _lift(language.after_one, lift), _lift(language.after_two, lift)
    texts = np.full((len(chance), chance.shape[1] + 2), full_stop)
    for step in range(chance.shape[1]):
        before, last = texts[:, step], texts[:, step + 1]
        trust_two, from_two, to_two = two.find(before * len(bias) + last)
        trust_one, from_one, to_one = one.find(last)
        share_two = trust_two * phrases
        share_one = (1 - share_two) * trust_one * phrases
        share_single = 1 - share_two - share_one
        end_two = share_two * (to_two - from_two)
        end_one = end_two + share_one * (to_one - from_one)
        point = chance[:, step] * (end_one + share_single * single[-1])
        words = np.searchsorted(single, (point - end_one) / share_single)
        with_one = one.word_at(from_one + (point - end_two) / np.where(share_one, share_one, 1))
        with_two = two.word_at(from_two + point / np.where(share_two, share_two, 1))
        words = np.where(point < end_one, with_one, words)
        texts[:, step + 2] = np.minimum(np.where(point < end_two, with_two, words), len(bias) - 1)
    return texts[:, 2:]
