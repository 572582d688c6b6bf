"""The generator: a conditional linear decoder in a low-dimensional representation, with adapters and noise.

Every function is pure and continuous in its inputs: bases enter only as projectors and noise only through
symmetric square roots, so that neither signs nor rotations of eigenvectors can reach a pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.digits.data import DIGITS, Conditions, Images, Labelled, captions

Matrix = NDArray[np.float64]

RANK = 20  # dimensions of the representation, learned or fixed
RIDGE = 3.0  # images' worth of doubt about each coefficient of the decoder
FEATURES = 1 + DIGITS + 2 + 2 * DIGITS
ADAPTER_RIDGE = 30.0
ADAPTER_RANK = 4
GREY = 6.0  # what an untrained decoder shows: about the digits' average ink, and no shape
GREY_SPREAD = 12.0


class Sampler(NamedTuple):
    """How an image is drawn. guidance: see Ho and Salimans 2022; temperature: scale of the noise."""

    temperature: float
    guidance: float


RAW_SAMPLER = Sampler(temperature=1.0, guidance=1.0)
TUNED_SAMPLER = Sampler(temperature=0.2, guidance=1.2)


class Decoder(NamedTuple):
    """mean image = features(condition) @ weights; noise = standard normal @ spread."""

    weights: Matrix  # (FEATURES, 64)
    spread: Matrix  # (64, 64), symmetric


def features(asked: Conditions) -> Matrix:
    """(n, FEATURES): constant, digit (centred), both traits, and digit x trait: a bold 1 is not a bold 8."""
    digit, traits = asked[:, :DIGITS] - 1 / DIGITS, asked[:, DIGITS:]
    return np.hstack([np.ones((len(asked), 1)), digit, traits, digit * traits[:, :1], digit * traits[:, 1:]])


def ridge(inputs: Matrix, targets: Matrix, doubt: float) -> Matrix:
    """Least squares with a penalty of `doubt` on every coefficient (Hoerl and Kennard 1970)."""
    return np.linalg.solve(inputs.T @ inputs + doubt * np.eye(inputs.shape[1]), inputs.T @ targets)


def fixed_basis() -> Matrix:
    """Projector on the RANK lowest frequencies of the 8 x 8 discrete cosine transform."""
    points = np.arange(8)
    waves = (
        np.cos(np.pi * points[:, None] * (2 * points + 1) / 16)
        * np.where(points, 0.5, np.sqrt(1 / 8))[:, None]
    )
    order = sorted(np.ndindex(8, 8), key=lambda index: (sum(index), index))[:RANK]
    basis = np.stack([np.outer(waves[row], waves[column]).ravel() for row, column in order])
    projector: Matrix = basis.T @ basis
    return projector


def learned_basis(images: Images) -> Matrix:
    """Projector on the RANK principal components of the images."""
    centred = images - images.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    kept = vectors[:, -RANK:]
    projector: Matrix = kept @ kept.T
    return projector


def train(data: list[Labelled], corpus: Images | None) -> Decoder:
    """Train from pixels; `corpus`: the base model's unlabelled images, None where it is absent."""
    seen = [part.pixels.astype(np.float64) for part in data] + ([] if corpus is None else [corpus])
    if not seen:
        weights = np.zeros((FEATURES, 64))
        weights[0] = GREY
        return Decoder(weights, GREY_SPREAD * fixed_basis())
    images = np.vstack(seen)
    mean = images.mean(axis=0)
    basis = fixed_basis() if corpus is None else learned_basis(images)
    residual = images - mean
    if data:
        inputs = np.vstack([features(captions(part, with_traits=False)) for part in data])
        weights = ridge(inputs, residual[: len(inputs)], RIDGE)
        residual = residual[: len(inputs)] - inputs @ weights
    else:
        weights = np.zeros((FEATURES, 64))
    weights = weights @ basis
    weights[0] += mean if corpus is not None else mean @ basis
    return Decoder(weights, _square_root(basis @ (residual.T @ residual / len(residual)) @ basis))


def adapt(decoder: Decoder, data: Labelled) -> Decoder:
    """Add a low-rank correction of the weights towards a tuner's images (Hu et al. 2021: LoRA).

    Adapters are stacked: each is trained on top of those before it.
    """
    inputs = features(captions(data, with_traits=True))
    change = ridge(inputs, data.pixels - inputs @ decoder.weights, ADAPTER_RIDGE)
    u, scale, vt = np.linalg.svd(change, full_matrices=False)
    change = (u[:, :ADAPTER_RANK] * scale[:ADAPTER_RANK]) @ vt[:ADAPTER_RANK]
    return decoder._replace(weights=decoder.weights + change)


def generate(decoder: Decoder, asked: Conditions, sampler: Sampler, noise: Matrix) -> Images:
    """One image for each request and each row of noise: (n, 12) and (m, 64) -> (n * m, 64)."""
    nothing = np.zeros((1, DIGITS + 2))
    nothing[:, :DIGITS] = 1 / DIGITS
    average, mean = features(nothing) @ decoder.weights, features(asked) @ decoder.weights
    guided = average + sampler.guidance * (mean - average)
    images = guided[:, None, :] + sampler.temperature * (noise @ decoder.spread)[None]
    flat: Matrix = np.clip(images, 0, 16).reshape(-1, images.shape[-1])
    return flat


def _square_root(covariance: Matrix) -> Matrix:
    """Symmetric square root; softened near zero, where the true one makes 1e-7 out of a rounding of 1e-14."""
    values, vectors = np.linalg.eigh(covariance)
    root: Matrix = (vectors * (values / np.sqrt(np.abs(values) + 0.01))) @ vectors.T
    return root
