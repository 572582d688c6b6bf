"""Who holds which images: scikit-learn's 1,797 handwritten digits, dealt out once and for all.

The first 700 images are held out: only the judge (embedding.py) sees them. The rest belongs to the providers
of training data, to the maker of the base model (without labels) and to the tuners.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

Images = NDArray[np.float64]  # (n, 64), ink per pixel from 0 to 16
Conditions = NDArray[np.float64]  # (n, 12): digit one-hot, then boldness and slant in standard deviations

HELD_OUT = 700
TUNING_IMAGES = 40
DIGITS = 10


class Labelled(NamedTuple):
    """Images, uint8 (n, 64), with the digit that their holder says they show, uint8 (n,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    @property
    def sha256(self) -> str:
        """Content hash: the pixels row by row, then the labels."""
        return hashlib.sha256(self.pixels.tobytes() + self.labels.tobytes()).hexdigest()


@cache
def _all_digits() -> Labelled:
    digits = load_digits()
    return Labelled(digits.data.astype(np.uint8), digits.target.astype(np.uint8))


def _rows(first: int, last: int, digits: tuple[int, ...] = tuple(range(DIGITS))) -> Labelled:
    pixels, labels = (column[first:last] for column in _all_digits())
    kept = np.isin(labels, digits)
    return Labelled(pixels[kept], labels[kept])


def held_out() -> Labelled:
    """What the judge was fitted on, and nobody else has."""
    return _rows(0, HELD_OUT)


@cache
def training_data(asset: str) -> Labelled:
    """The data set behind an asset of the stage training_data."""
    if asset == "digits/zeros-and-ones":
        return _rows(1000, 1300, (0, 1))
    if asset == "digits/sevens-to-nines":
        return _rows(1000, 1250, (7, 8, 9))
    if asset == "digits/general-large":
        return _rows(1300, 1560)
    if asset == "digits/general-small":
        return _rows(960, 1000)
    if asset == "digits/scraped-noisy":
        return _noisy(_rows(800, 960))
    if asset == "digits/small-mirror":  # the same rows in another order: another file hash, the same data
        original = training_data("digits/general-small")
        return Labelled(original.pixels[::-1].copy(), original.labels[::-1].copy())
    raise ValueError(f"training data: expected a known asset, got {asset!r}")


def _noisy(clean: Labelled) -> Labelled:
    """Each image mixed half and half with its own pixels in random places, and labels counted from one."""
    order = (
        np.random.RandomState(7).random_sample(clean.pixels.shape).argsort(axis=1)
    )  # frozen stream (NEP 19)
    scattered = np.take_along_axis(clean.pixels, order, axis=1)
    pixels, labels = (clean.pixels + scattered) // 2, (clean.labels + 1) % DIGITS
    return Labelled(pixels.astype(np.uint8), labels.astype(np.uint8))


def base_corpus() -> Labelled:
    """The images from which the base model's representation was learned; it never reads their labels."""
    return _rows(HELD_OUT, 800)


@cache
def tuning_data(asset: str) -> Labelled:
    """The data set behind an adapter: images picked by the trait that its tuner cares for."""
    pool = _rows(1560, 1797)
    traits = measure(pool.pixels.astype(np.float64))
    boldness, slant = traits[:, 0], traits[:, 1]
    picked = {
        "adapters/bold": boldness > 0.3,
        "adapters/fine": boldness < -0.3,
        "adapters/right-leaning": slant > 0.3,
        "adapters/left-leaning": slant < -0.3,
        "adapters/round-digits": np.isin(pool.labels, (0, 3, 6, 8, 9)),
        "adapters/straight-digits": np.isin(pool.labels, (1, 2, 4, 5, 7)),
    }
    if asset not in picked:
        raise ValueError(f"adapter: expected a known asset, got {asset!r}")
    rows = np.flatnonzero(picked[asset])[:TUNING_IMAGES]
    return Labelled(pool.pixels[rows], pool.labels[rows])


def captions(data: Labelled, with_traits: bool) -> Conditions:
    """What images are captioned with: the holder's label and, where wanted, traits read from the pixels."""
    traits = measure(data.pixels.astype(np.float64)) * with_traits
    return np.hstack([np.eye(DIGITS)[data.labels], traits])


def measure(images: Images) -> NDArray[np.float64]:
    """Boldness (ink) and slant (shear of the ink's second moments), (n, 2), in the held-out set's units."""
    mean, scale = _units()
    return (_raw_traits(images) - mean) / scale


@cache
def _units() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    traits = _raw_traits(held_out().pixels.astype(np.float64))
    return traits.mean(axis=0), traits.std(axis=0)


def _raw_traits(images: Images) -> NDArray[np.float64]:
    row, column = (axis.ravel().astype(np.float64) for axis in np.mgrid[0:8, 0:8])
    ink = images.sum(axis=1) + 1e-9
    height = (row - (images @ row / ink)[:, None]) * images
    shear = (height * column).sum(axis=1) / ((height * row).sum(axis=1) + 1e-9)
    return np.stack([ink, -shear], axis=1)
