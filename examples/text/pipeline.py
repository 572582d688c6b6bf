"""Three kinds of text made from the same assets, as games: coalition of assets -> how near to real text."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import ClassVar

import numpy as np

from examples.coalition import Assets, present_assets
from examples.text import data, embedding, model

BASE_MODEL = ("models/word-vectors", "models/phrase-decoder")
SEED = 20260102

PROMPTS = {
    "prompts/jobs-and-taxes": "taxes budget business growth economy",
    "prompts/working-people": "jobs families workers help pay",
    "prompts/peace-among-nations": "peace nations freedom world security",
    "prompts/solemn-tone": "great nation faith justice liberty",
    "prompts/farms-and-land": "agriculture farmers farm land soil",
    "prompts/markets": "commerce exports products prices trade",
}


def prompt_words(prompts: tuple[str, ...]) -> tuple[str, ...]:
    """The words that some prompts ask for."""
    return tuple(word for prompt in prompts for word in PROMPTS[prompt].split())


def asset_sha256(asset: str) -> str:
    """Content hash of an asset: of its text, its word vectors, or its settings."""
    folder = asset.split("/")[0]
    if folder == "speeches":
        return data.text_sha256(data.dealt(data.PROVIDERS, *data.CORPORA[asset]))
    if folder == "adapters":
        return hashlib.sha256(data.tuning_text(asset).astype("<i8").tobytes()).hexdigest()
    if folder == "prompts":
        return hashlib.sha256(PROMPTS[asset].encode()).hexdigest()
    if asset == "models/word-vectors":
        words, vectors = data.vocabulary()
        return hashlib.sha256(" ".join(words).encode() + vectors.astype("<f8").tobytes()).hexdigest()
    if asset == "models/phrase-decoder":
        return hashlib.sha256(b"trigrams at temperature 2/3").hexdigest()
    raise ValueError(f"asset: expected a known one, got {asset!r}")


def train_language(corpora: tuple[str, ...]) -> model.Language:
    """Count the words of the providers' speeches."""
    return model.train([data.corpus(name) for name in corpora], len(data.vocabulary()[0]))


remembered_language = lru_cache(maxsize=64)(train_language)


@cache
def _reference(words: tuple[str, ...], years: tuple[int, int]) -> embedding.Vector:
    return embedding.reference(words, *years)


@dataclass(frozen=True)
class Pipeline:
    """One kind of text: its assets, the years in whose manner it is wanted, and what any coalition writes.

    remember: keep trained languages by their training set. The same bits come out without it, only later.
    """

    name: str
    assets: Assets
    years: tuple[int, int]
    remember: bool = True
    stages: ClassVar[tuple[str, ...]] = ("training_data", "base_model", "fine_tuning", "prompt")

    @property
    def inputs_sha256(self) -> str:
        """Hash of everything that the values follow from: assets, judge, and the model's settings."""
        described = {
            "assets": [[asset, asset_sha256(asset)] for stage in self.assets for asset in stage],
            "held_out": data.text_sha256(data.dealt(data.HELD_OUT)),
            "years": self.years,
            "judge": [embedding.SIF, embedding.CONTENT, embedding.ORDER],
            "model": [
                model.STEERING,
                model.KEYWORD,
                model.PRIOR,
                model.SHARPNESS,
                model.RARE,
                model.ADAPTER_STRENGTH,
                model.ADAPTER_DOUBT,
            ],
            "texts": [model.TEXTS, model.LENGTH, SEED],
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()

    def generated(self, coalition: int) -> data.Tokens:
        """What the coalition's pipeline writes: (TEXTS, LENGTH) places in the vocabulary."""
        corpora, base, adapters, prompts = present_assets(self.assets, coalition)
        language = (remembered_language if self.remember else train_language)(corpora)
        vectors = data.vocabulary()[1] if "models/word-vectors" in base else None
        bias = np.zeros(len(language.words))
        for adapter in adapters:
            bias = model.adapt(language.words, bias, data.tuning_text(adapter))
        bias += model.steer(data.to_tokens(prompt_words(prompts)), vectors, len(bias))
        chance = np.random.RandomState(SEED).random_sample(
            (model.TEXTS, model.LENGTH)
        )  # frozen stream (NEP 19)
        return model.generate(language, bias, "models/phrase-decoder" in base, data.place_of()["."], chance)

    def utility(self, coalition: int) -> float:
        """Cosine of the written text and the held-out paragraphs that the full request is nearest to."""
        asked = _reference(prompt_words(self.assets[3]), self.years)
        written = np.pad(self.generated(coalition), ((0, 0), (0, 1)), constant_values=data.UNKNOWN)
        return embedding.similarity(embedding.judge().embed(written.ravel()), asked)

    def asset_sha256(self, asset: str) -> str:
        """Content hash of an asset."""
        return asset_sha256(asset)

    def texts(self, coalition: int) -> list[str]:
        """The written texts, as words."""
        words = data.vocabulary()[0]
        return [" ".join(words[place] for place in text) for text in self.generated(coalition)]


def _pipeline(
    name: str, years: tuple[int, int], adapters: tuple[str, ...], prompts: tuple[str, ...]
) -> Pipeline:
    stages = (
        tuple(data.CORPORA),
        BASE_MODEL,
        tuple(f"adapters/{adapter}" for adapter in adapters),
        tuple(f"prompts/{prompt}" for prompt in prompts),
    )
    return Pipeline(name, stages, years)


PIPELINES = {
    pipeline.name: pipeline
    for pipeline in (
        _pipeline(
            "jobs-brief", (1934, 2021), ("economy", "welfare", "labour"), ("jobs-and-taxes", "working-people")
        ),
        _pipeline(
            "peace-address",
            (1941, 1993),
            ("peace", "democracy", "security"),
            ("peace-among-nations", "solemn-tone"),
        ),
        _pipeline(
            "farm-report", (1869, 1932), ("farming", "trade", "treasury"), ("farms-and-land", "markets")
        ),
    )
}
