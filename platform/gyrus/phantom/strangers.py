"""Pictures that are no brain MRI, drawn: what `distance` must tell from one.

Noise, clouds with the spectrum of photographs (Field 1987), dead leaves, which have their edges too
(Lee et al. 2001), text, charts, textures, and slices of other parts of the body.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Field = NDArray[np.float32]

SIDE = 256


def strangers(count: int, *, seed: int = 0) -> Iterator[tuple[str, Picture]]:
    """Draw `count` pictures, (256, 256) uint8, of `KINDS` by turns; each with its kind."""
    kinds = list(KINDS.items())
    for number in range(count):
        kind, draw = kinds[number % len(kinds)]
        yield kind, draw(np.random.default_rng([seed, number]))


def _noise(rng: Generator) -> Picture:
    noise = rng.normal(size=(SIDE, SIDE)).astype(np.float32)
    return _levels(np.asarray(cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.3, 4)), np.float32))


def _clouds(rng: Generator) -> Picture:
    frequencies = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
    frequencies[0, 0] = 1
    spectrum = np.fft.rfft2(rng.normal(size=(SIDE, SIDE))) / frequencies ** rng.uniform(0.8, 1.6)
    return _levels(np.fft.irfft2(spectrum, s=(SIDE, SIDE)).astype(np.float32))


def _leaves(rng: Generator) -> Picture:
    picture = np.full((SIDE, SIDE), 128, np.uint8)
    for _ in range(600):
        radius = int(min(4 / np.sqrt(rng.uniform(0.001, 1)), 90))
        x, y = (int(at) for at in rng.integers(0, SIDE, 2))
        cv2.circle(picture, (x, y), radius, int(rng.integers(256)), -1, cv2.LINE_AA)
    return picture


def _text(rng: Generator) -> Picture:
    paper, ink = (245, 20) if rng.random() < 0.5 else (5, 235)
    picture = np.full((SIDE, SIDE), paper, np.uint8)
    size = rng.uniform(0.35, 1.0)
    for line in np.arange(12 + 22 * size, SIDE - 8, 30 * size):
        words = ("".join(chr(c) for c in rng.integers(97, 123, n)) for n in rng.integers(2, 9, 9))
        place, font = (10, int(line)), cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(picture, " ".join(words), place, font, size, ink, 1, cv2.LINE_AA)
    return picture


def _chart(rng: Generator) -> Picture:
    picture = np.full((SIDE, SIDE), 255, np.uint8)
    cv2.rectangle(picture, (30, 15), (240, 225), 0, 1)
    for at in range(40, 225, 30):
        cv2.line(picture, (30, at), (240, at), 200, 1)
    for ink in (0, 90, 150):
        x = np.arange(30, 240)
        y = 120 + np.cumsum(rng.normal(size=len(x))) * rng.uniform(1, 5)
        curve = np.stack([x, np.clip(y, 16, 224)], 1).astype(np.int32)
        cv2.polylines(picture, [curve], False, ink, 2, cv2.LINE_AA)
    return picture


def _texture(rng: Generator) -> Picture:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    a, b = rng.uniform(0, np.pi, 2)
    f, g = rng.uniform(0.3, 25, 2)
    first = np.sin(2 * np.pi * f * (x * np.cos(a) + y * np.sin(a)))
    second = np.sin(2 * np.pi * g * (x * np.cos(b) + y * np.sin(b)))
    waves = [first, first * second, np.sign(first * second), np.hypot(x - a / 3, y - b / 3)]
    return _levels(waves[rng.integers(len(waves))].astype(np.float32))


def _trunk(rng: Generator) -> Picture:
    """A slice of a chest or a belly: skin, lungs or organs, spine, ribs."""
    picture = np.zeros((SIDE, SIDE), np.uint8)
    tissue = int(rng.integers(90, 150))
    wide, deep = int(rng.integers(100, 122)), int(rng.integers(68, 90))
    _ellipse(picture, 128, 128, wide, deep, int(rng.integers(60, 220)))
    _ellipse(picture, 128, 128, wide - 10, deep - 10, tissue)
    for side in (-1, 1):
        level = 15 if rng.random() < 0.5 else tissue + int(rng.integers(-40, 60))
        across, along = int(rng.integers(24, 38)), int(rng.integers(32, 48))
        _ellipse(picture, 128 + side * int(wide * 0.45), 125, across, along, level)
    _ellipse(picture, int(128 + rng.integers(-12, 25)), 108, 24, 20, tissue + 50)
    _ellipse(picture, 128, 128 + deep - 30, 16, 14, 235)
    _ellipse(picture, 128, 128 + deep - 12, 5, 10, 235)
    for angle in np.linspace(0, 2 * np.pi, int(rng.integers(8, 16)), endpoint=False):
        x, y = 128 + (wide - 14) * np.cos(angle), 128 + (deep - 14) * np.sin(angle)
        _ellipse(picture, int(x), int(y), 6, 3, 220)
    return _scanned(picture, rng)


def _limb(rng: Generator) -> Picture:
    """A slice of an arm, a leg or two: fat, muscle, bones with marrow."""
    picture = np.zeros((SIDE, SIDE), np.uint8)
    legs = int(rng.integers(1, 3))
    radius = 105 // legs
    for leg in range(legs):
        x = 128 + (2 * leg - legs + 1) * 62
        _ellipse(picture, x, 128, radius, radius, int(rng.integers(150, 230)))
        _ellipse(picture, x, 128, int(radius * 0.82), int(radius * 0.8), int(rng.integers(60, 120)))
        for _ in range(int(rng.integers(1, 3))):
            at = [int(v) for v in rng.integers(-radius // 3, radius // 3 + 1, 2)]
            bone = int(radius * rng.uniform(0.14, 0.24))
            _ellipse(picture, x + at[0], 128 + at[1], bone, bone, 12)
            _ellipse(picture, x + at[0], 128 + at[1], bone * 2 // 3, bone * 2 // 3, 200)
    return _scanned(picture, rng)


def _spine(rng: Generator) -> Picture:
    """A sagittal slice of a spine: vertebrae and discs, the cord behind them, muscle and skin."""
    picture = np.full((SIDE, SIDE), int(rng.integers(30, 70)), np.uint8)
    bend, phase = rng.uniform(5, 25), rng.uniform(0, 6)
    bone, disc = int(rng.integers(120, 200)), int(rng.integers(30, 110))
    for y in range(-10, SIDE + 10, 26):
        x = int(110 + bend * np.sin(y / 60 + phase))
        cv2.rectangle(picture, (x - 22, y), (x + 14, y + 19), bone, -1)
        cv2.rectangle(picture, (x - 21, y + 20), (x + 13, y + 25), disc, -1)
        cv2.rectangle(picture, (x + 20, y), (x + 27, y + 26), 210, -1)
        cv2.rectangle(picture, (x + 30, y), (x + 34, y + 26), 110, -1)
        _ellipse(picture, x + 62, y + 10, 20, 7, 140)
    picture[:, 225:] = 0
    picture[:, 205:225] = 220
    return _scanned(picture, rng)


def _ellipse(picture: Picture, x: int, y: int, across: int, along: int, level: int) -> None:
    cv2.ellipse(picture, (x, y), (across, along), 0, 0, 360, min(level, 255), -1, cv2.LINE_AA)


def _scanned(picture: Picture, rng: Generator) -> Picture:
    """With a scanner's blur and noise, turned and moved a little."""
    turn = cv2.getRotationMatrix2D((128, 128), rng.uniform(-12, 12), rng.uniform(0.85, 1.05))
    moved = cv2.warpAffine(picture, turn, (SIDE, SIDE)).astype(np.float32)
    noise = rng.normal(scale=rng.uniform(2, 9), size=moved.shape)
    soft = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.6, 1.6)) + noise
    return np.asarray(np.clip(soft, 0, 255), np.uint8)


def _levels(field: Field) -> Picture:
    low, high = field.min(), field.max()
    return np.asarray(255 * (field - low) / max(high - low, 1e-9), np.uint8)


KINDS = {
    "noise": _noise,
    "clouds": _clouds,
    "leaves": _leaves,
    "text": _text,
    "chart": _chart,
    "texture": _texture,
    "trunk": _trunk,
    "limb": _limb,
    "spine": _spine,
}
"""What there is, and what draws it."""
