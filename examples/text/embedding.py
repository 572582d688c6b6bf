"""The judge: embeds text by what it speaks of and how its words follow each other; fitted on held-out speeches.

Content is the average word vector, rare words counting more (SIF; Arora et al. 2017). Order is the circular
convolution of neighbouring word vectors (holographic representations; Plate 1995) less what unordered words would
give, so that a shuffled text scores next to nothing there.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.text import data

Vector = NDArray[np.float64]

SIF = 1e-3  # Arora's a: the frequency at which a word counts half
CONTENT, ORDER = 1.0, 2.0  # weight of each part, in units of its size in an average held-out text
NEAREST = 120  # held-out paragraphs that stand for a request
DIRECTIONS = 2  # of order: the main ones of held-out speeches; in the others a short text has only noise
CONE = 1.0  # length of the coordinate that all texts share: near the average the angle stays small


class Judge(NamedTuple):
    """What was fitted: word frequencies, the average content, and the size of both parts."""

    frequency: Vector  # (V,)
    content_mean: Vector  # (50,)
    content_size: float
    order_size: float
    order_basis: Vector  # (50, 50), projector on the main directions of order

    def embed(self, tokens: data.Tokens) -> Vector:
        """Content and order of a text, and the length that all texts share, (101,)."""
        content = (_content(tokens, self.frequency) - self.content_mean) / self.content_size
        order = self.order_basis @ _order(tokens) / self.order_size
        return np.concatenate([CONTENT * content, ORDER * order, [CONE]])


def _content(tokens: data.Tokens, frequency: Vector) -> Vector:
    known = tokens[tokens != data.UNKNOWN]
    weights = SIF / (SIF + frequency[known])
    average: Vector = weights @ data.vocabulary()[1][known] / weights.sum()
    return average


def _order(tokens: data.Tokens) -> Vector:
    left, right = tokens[:-1], tokens[1:]
    both = (left != data.UNKNOWN) & (right != data.UNKNOWN)
    waves = _waves()
    left_waves, right_waves = waves[left[both]], waves[right[both]]
    together = (left_waves * right_waves).mean(axis=0) - left_waves.mean(axis=0) * right_waves.mean(axis=0)
    return np.fft.irfft(together, data.vocabulary()[1].shape[1])


@cache
def _waves() -> NDArray[np.complex128]:
    vectors = data.vocabulary()[1]
    return np.fft.rfft(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), axis=1)


@cache
def judge() -> Judge:
    """The judge, fitted on the held-out speeches."""
    speeches = [data.to_tokens(words) for words in data.dealt(data.HELD_OUT)]
    everything = np.concatenate(speeches)
    counts = np.bincount(everything[everything != data.UNKNOWN], minlength=len(data.vocabulary()[0]))
    frequency = counts / counts.sum()
    contents = np.stack([_content(speech, frequency) for speech in speeches])
    mean = contents.mean(axis=0)
    content_size = np.linalg.norm(contents - mean, axis=1).mean()
    orders = np.stack([_order(speech) for speech in speeches])
    order_size = np.linalg.norm(orders, axis=1).mean()
    main = np.linalg.eigh(orders.T @ orders)[1][:, -DIRECTIONS:]
    return Judge(frequency, mean, float(content_size), float(order_size), main @ main.T)


def reference(words: tuple[str, ...], first: int, last: int) -> Vector:
    """What was asked: the embedding of those held-out paragraphs of some years that are nearest to the words."""
    fitted, texts = judge(), data.paragraphs(data.dealt(data.HELD_OUT, first, last))
    asked = _content(data.to_tokens(words), fitted.frequency) - fitted.content_mean
    contents = np.stack([_content(text, fitted.frequency) - fitted.content_mean for text in texts])
    nearness = contents @ asked / (np.linalg.norm(contents, axis=1) * np.linalg.norm(asked))
    nearest = np.argsort(-nearness, kind="stable")[:NEAREST]
    return fitted.embed(np.concatenate([texts[index] for index in nearest]))


def similarity(left: Vector, right: Vector) -> float:
    """Cosine, at least zero."""
    return max(0.0, float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right) + 1e-12)))
