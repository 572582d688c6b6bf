"""Prompts are text; this is the small vocabulary that the generator and the judge both read."""

from __future__ import annotations

import numpy as np

from examples.digits.data import DIGITS, Conditions

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TRAIT_WORDS = {"bold": (10, 1.5), "fine": (10, -1.5), "right": (11, 1.5), "left": (11, -1.5)}

PROMPTS = {
    "prompts/house-number": "the digits four seven zero nine",
    "prompts/birthday": "the digits one eight five",
    "prompts/lottery": "the digits three six two nine eight",
    "prompts/bold-strokes": "in bold strokes",
    "prompts/fine-strokes": "in fine strokes",
    "prompts/leaning-right": "leaning right",
    "prompts/leaning-left": "leaning left",
}


def to_conditions(prompts: tuple[str, ...], count: int) -> Conditions:
    """What `count` images are asked to show, (count, 12); what no prompt mentions stays at the average."""
    asked = np.hstack([np.full((count, DIGITS), 1 / DIGITS), np.zeros((count, 2))])
    words = [word for prompt in prompts for word in PROMPTS[prompt].split()]
    digits = [DIGIT_WORDS.index(word) for word in words if word in DIGIT_WORDS]
    if digits:
        asked[:, :DIGITS] = np.eye(DIGITS)[np.resize(digits, count)]
    for word in words:
        if word in TRAIT_WORDS:
            column, strength = TRAIT_WORDS[word]
            asked[:, column] = strength
    return asked
