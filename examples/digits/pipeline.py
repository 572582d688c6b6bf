"""Three products made from the same assets, as games: coalition of assets -> how well the output fits."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ame.attribution import Examples, Gradients
from examples.coalition import Assets, present_assets
from examples.digits import data, embedding, model, prompt

TRAINING_DATA = (
    "digits/zeros-and-ones",
    "digits/sevens-to-nines",
    "digits/general-large",
    "digits/general-small",
    "digits/scraped-noisy",
    "digits/small-mirror",
)
BASE_MODEL = ("models/representation", "models/sampler")
DRAWS = 12  # images drawn for each request; the same noise in every coalition
NOISE_SEED = 20260101


def asset_sha256(asset: str) -> str:
    """Content hash of an asset: of its images and labels, its prompt, or its settings."""
    folder = asset.split("/")[0]
    if folder == "digits":
        return data.training_data(asset).sha256
    if folder == "adapters":
        return data.tuning_data(asset).sha256
    if folder == "prompts":
        return hashlib.sha256(prompt.PROMPTS[asset].encode()).hexdigest()
    if asset == "models/representation":
        return hashlib.sha256(data.base_corpus().pixels.tobytes()).hexdigest()
    if asset == "models/sampler":
        return hashlib.sha256(json.dumps(model.TUNED_SAMPLER._asdict(), sort_keys=True).encode()).hexdigest()
    raise ValueError(f"asset: expected a known one, got {asset!r}")


def train_decoder(providers: tuple[str, ...], with_corpus: bool) -> model.Decoder:
    """Train on the providers' raw pixels; the base model's representation brings its own corpus."""
    corpus = data.base_corpus().pixels.astype(np.float64) if with_corpus else None
    return model.train([data.training_data(provider) for provider in providers], corpus)


remembered_decoder = lru_cache(maxsize=256)(train_decoder)


@dataclass(frozen=True)
class Pipeline:
    """One product: its assets, and what any coalition of them draws.

    remember: keep trained decoders by their training set. The same bits come out without it, only later.
    """

    name: str
    assets: Assets
    remember: bool = True
    stages: ClassVar[tuple[str, ...]] = ("training_data", "base_model", "fine_tuning", "prompt")

    @property
    def inputs_sha256(self) -> str:
        """Hash of everything that the values follow from: assets, judge, and the settings of this file."""
        described = {
            "assets": [[asset, asset_sha256(asset)] for stage in self.assets for asset in stage],
            "held_out": data.held_out().sha256,
            "judge": [embedding.RIDGE, embedding.CONE],
            "model": [
                model.RANK,
                model.RIDGE,
                model.ADAPTER_RIDGE,
                model.ADAPTER_RANK,
                model.GREY,
                model.GREY_SPREAD,
            ],
            "raw_sampler": model.RAW_SAMPLER,
            "draws": [DRAWS, NOISE_SEED],
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()

    @property
    def _digits_asked(self) -> int:
        return sum(
            word in prompt.DIGIT_WORDS for name in self.assets[3] for word in prompt.PROMPTS[name].split()
        )

    def generated(self, coalition: int) -> NDArray[np.float64]:
        """What the coalition's pipeline draws: (digits asked * DRAWS, 64), ink from 0 to 16."""
        providers, base, adapters, prompts = present_assets(self.assets, coalition)
        trainer = remembered_decoder if self.remember else train_decoder
        decoder = trainer(providers, "models/representation" in base)
        for adapter in adapters:
            decoder = model.adapt(decoder, data.tuning_data(adapter))
        sampler = model.TUNED_SAMPLER if "models/sampler" in base else model.RAW_SAMPLER
        noise = np.random.RandomState(NOISE_SEED).standard_normal((DRAWS, 64))
        return model.generate(decoder, prompt.to_conditions(prompts, self._digits_asked), sampler, noise)

    def utility(self, coalition: int) -> float:
        """Mean cosine of the generated images and the full request in the judge's embedding."""
        asked = prompt.to_conditions(self.assets[3], self._digits_asked)
        return float(
            embedding.judge().similarity(self.generated(coalition), np.repeat(asked, DRAWS, axis=0)).mean()
        )

    def asset_sha256(self, asset: str) -> str:
        """Content hash of an asset."""
        return asset_sha256(asset)

    def asset_items(self, asset: str) -> NDArray[np.float64] | None:
        """For the search of duplicates: a data set's images as deviations from the average held-out image, (m, 64)."""
        if not asset.startswith("digits/"):
            return None
        return data.training_data(asset).pixels - data.held_out().pixels.mean(axis=0)

    def examples(self, stage: str) -> Examples:
        """For KNN-Shapley: does a held-out image lie among images of its digit?"""
        owners, parts = self._training_data(stage)
        held_out = data.held_out()
        return Examples(
            owners,
            np.vstack([part.pixels for part in parts]).astype(np.float64),
            np.concatenate([part.labels for part in parts]),
            held_out.pixels.astype(np.float64),
            held_out.labels,
        )

    def gradients(self, stage: str) -> Gradients:
        """For influence: gradients of the squared error of a linear decoder from captions to pixels."""
        owners, parts = self._training_data(stage)
        inputs = [
            model.features(data.captions(part, with_traits=False)) for part in (*parts, data.held_out())
        ]
        images = [part.pixels.astype(np.float64) for part in (*parts, data.held_out())]
        weights = model.ridge(np.vstack(inputs[:-1]), np.vstack(images[:-1]), model.RIDGE)
        sloped = [
            ((one @ weights - image)[:, None, :] * one[:, :, None]).reshape(len(one), -1)
            for one, image in zip(inputs, images, strict=True)
        ]
        return Gradients(owners, ((np.vstack(sloped[:-1]), sloped[-1], 1.0),))

    def _training_data(self, stage: str) -> tuple[NDArray[np.int64], list[data.Labelled]]:
        if stage != "training_data":
            raise ValueError(f"stage: expected training_data, whose assets are examples, got {stage!r}")
        parts = [data.training_data(asset) for asset in self.assets[0]]
        return np.repeat(np.arange(len(parts)), [len(part.labels) for part in parts]), parts

    def images(self, coalition: int) -> NDArray[np.uint8]:
        """The first draw of each digit asked, (digits asked, 8, 8), 0 white to 255 full ink."""
        first = self.generated(coalition)[::DRAWS]
        shades: NDArray[np.uint8] = np.rint(first * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
        return shades


def _pipeline(name: str, adapters: tuple[str, ...], prompts: tuple[str, ...]) -> Pipeline:
    return Pipeline(
        name,
        (
            TRAINING_DATA,
            BASE_MODEL,
            tuple(f"adapters/{adapter}" for adapter in adapters),
            tuple(f"prompts/{part}" for part in prompts),
        ),
    )


PIPELINES = {
    pipeline.name: pipeline
    for pipeline in (
        _pipeline(
            "house-numbers",
            ("bold", "right-leaning", "round-digits", "straight-digits"),
            ("house-number", "bold-strokes", "leaning-right"),
        ),
        _pipeline(
            "birthday-cards",
            ("fine", "left-leaning", "straight-digits", "round-digits"),
            ("birthday", "fine-strokes", "leaning-left"),
        ),
        _pipeline(
            "lottery-posters",
            ("bold", "left-leaning", "round-digits"),
            ("lottery", "bold-strokes", "leaning-left"),
        ),
    )
}
