"""The judge: a joint embedding of images and requests, fitted on the held-out images only.

As in CLIP (Radford et al. 2021) image and request are projected into one space and compared by their cosine.
The projections are those of canonical correlation analysis (Hotelling 1936) with a ridge (Vinod 1976): all 11
canonical directions are kept, so that the cosine depends neither on signs nor on order of singular vectors.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.digits.data import Conditions, Images, captions, held_out

RIDGE = (
    0.05  # part of the mean variance that is added to each, so that nearly empty corner pixels do not count
)
CONE = 1.5  # length of the coordinate that all images and requests share


class Embedding(NamedTuple):
    """Means and projections of both sides into the joint space of `k` dimensions."""

    image_mean: NDArray[np.float64]
    image_projection: NDArray[np.float64]  # (64, k)
    request_mean: NDArray[np.float64]
    request_projection: NDArray[np.float64]  # (12, k)

    def similarity(self, images: Images, requests: Conditions) -> NDArray[np.float64]:
        """Cosine of each image with its request, (n,), at least zero (CLIPScore, Hessel et al. 2021)."""
        left = _in_cone((images - self.image_mean) @ self.image_projection)
        right = _in_cone((requests - self.request_mean) @ self.request_projection)
        cosines: NDArray[np.float64] = np.maximum((left * right).sum(axis=1), 0)
        return cosines


@cache
def judge() -> Embedding:
    """The embedding of the held-out images and their captions."""
    data = held_out()
    images, texts = data.pixels.astype(np.float64), captions(data, with_traits=True)
    left, right = images - images.mean(axis=0), texts - texts.mean(axis=0)
    white_left, white_right = _whiten(left), _whiten(right)
    shared = white_left @ (left.T @ right / len(images)) @ white_right
    u, strength, vt = np.linalg.svd(shared)
    k = texts.shape[1] - 1  # the ten digit columns add up to one
    weight = np.sqrt(strength[:k])
    return Embedding(
        images.mean(axis=0),
        white_left @ u[:, :k] * weight,
        texts.mean(axis=0),
        white_right @ vt[:k].T * weight,
    )


def _in_cone(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors around one common axis, as CLIP's are (Liang et al. 2022): close to the average, close."""
    lifted = np.hstack([points, np.full((len(points), 1), CONE)])
    unit: NDArray[np.float64] = lifted / np.linalg.norm(lifted, axis=1, keepdims=True)
    return unit


def _whiten(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    covariance = centred.T @ centred / len(centred)
    covariance += RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(covariance)
    root: NDArray[np.float64] = (vectors / np.sqrt(values)) @ vectors.T
    return root
