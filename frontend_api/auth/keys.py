"""The keys that sign access tokens: P-256 (ES256), each with its `kid`.

A key is a PEM file in one folder and its `kid` is the file's name without `.pem`. The one with the
highest number at the start signs, all of them verify. To rotate, add `key-2.pem` where all gateways
have it before the first of them restarts, and take `key-1.pem` away once its tokens have expired.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gyrus.errors import InputError

FIRST = "key-1.pem"


@dataclass(frozen=True)
class KeySet:
    """The private key that signs, as PEM, and the public keys that verify, by `kid`."""

    current: str
    private: str
    public: dict[str, str]


def load(folder: Path) -> KeySet:
    """Read the keys of a folder; make the first, readable by its owner only, if there is none.

    Raises:
        InputError: a file is no P-256 private key in PEM.
    """
    if not any(folder.glob("*.pem")):
        _make(folder)
    pems = _read(folder)
    current = max(pems, key=_order)
    return KeySet(
        current, pems[current].decode(), {kid: _public(kid, pem) for kid, pem in pems.items()}
    )


def public(folder: Path) -> dict[str, str]:
    """The public keys of a folder as it is now, by `kid`.

    Raises:
        InputError: a file is no P-256 private key in PEM.
        OSError: a file cannot be read.
    """
    return {kid: _public(kid, pem) for kid, pem in _read(folder).items()}


def _read(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.pem"))}


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    partial = folder / f".{FIRST}.{os.getpid()}"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    try:
        # Unlike a rename, a link never replaces the key of a gateway that started beside this one.
        os.link(partial, folder / FIRST)
    except FileExistsError:
        pass
    finally:
        partial.unlink()


def _order(kid: str) -> tuple[int, str]:
    number = re.search(r"\d+$", kid)
    return int(number[0]) if number else 0, kid


def _public(kid: str, pem: bytes) -> str:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{kid}.pem is no private key in PEM without a password.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise InputError(f"{kid}.pem is no P-256 key.")
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
