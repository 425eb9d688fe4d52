"""Bodies kept as they were are kept sealed: AES-256-GCM, a key id beside each text, old keys still open. Pure.

Keys are one text: `base64` or `base64,base64,...`. The first seals; all of them open, so a key is rotated by putting a
new one in front and taking the old one out when its last trace has expired. Nonces are random, so one key should seal
fewer than 2^32 bodies: rotate long before.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from akto_proxy.errors import ConfigError

VERSION = "v1"
_NONCE = 12
_KEY = 32


class SealError(ValueError):
    """A sealed text cannot be opened: it was changed, or its key is not among ours."""


def parse_keys(text: str) -> dict[str, bytes]:
    """Key id -> key, the sealing one first. A key's id is the first 8 hex digits of its SHA-256.

    Raises:
        ConfigError: there is no key, or one is not 32 bytes in base64.
    """
    keys: dict[str, bytes] = {}
    for number, part in enumerate((part.strip() for part in text.split(",") if part.strip()), 1):
        try:
            key = b64decode(part, validate=True)
        except binascii.Error:
            raise ConfigError(f"CAPTURE_KEY: key {number} is not base64; make one: `openssl rand -base64 32`") from None
        if len(key) != _KEY:
            raise ConfigError(f"CAPTURE_KEY: key {number} has {len(key)} bytes, expected {_KEY}")
        keys[sha256(key).hexdigest()[:8]] = key
    if not keys:
        raise ConfigError("CAPTURE_KEY: no key; make one: `openssl rand -base64 32`")
    return keys


def sealer(keys: str, random: Callable[[int], bytes]) -> Callable[[bytes], str]:
    """A function that seals bytes to text. `random` gives so many unpredictable bytes.

    Raises:
        ConfigError: the keys cannot be used.
    """
    key_id, key = next(iter(parse_keys(keys).items()))
    cipher = AESGCM(key)

    def seal(data: bytes) -> str:
        nonce = random(_NONCE)
        return f"{VERSION}.{key_id}.{b64encode(nonce + cipher.encrypt(nonce, data, _label(key_id))).decode()}"

    return seal


def opener(keys: str) -> Callable[[str], bytes]:
    """A function that opens what `sealer` sealed with any of the keys; it raises SealError when it cannot.

    Raises:
        ConfigError: the keys cannot be used.
    """
    ciphers = {key_id: AESGCM(key) for key_id, key in parse_keys(keys).items()}

    def unseal(text: str) -> bytes:
        version, _, rest = text.partition(".")
        key_id, _, body = rest.partition(".")
        if version != VERSION or key_id not in ciphers:
            raise SealError(f"sealed with key {key_id[:8]!r}, which is not among the keys given")
        try:
            data = b64decode(body, validate=True)
            return ciphers[key_id].decrypt(data[:_NONCE], data[_NONCE:], _label(key_id))
        except (binascii.Error, InvalidTag, ValueError):
            raise SealError("the sealed text was changed or cut") from None

    return unseal


def _label(key_id: str) -> bytes:
    return f"akto-proxy body {VERSION} {key_id}".encode()
