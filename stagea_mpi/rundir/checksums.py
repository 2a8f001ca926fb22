"""Small files that vouch for themselves: each ends with the SHA-256 of the rest, so that a change of one byte shows."""

import hashlib
import json
from typing import Any

#: In a text the last line begins with it, in JSON it is the key.
_KEY = "sha256"


def hash_of(value: Any) -> str:
    """SHA-256 of a value's JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def checksummed(values: dict[str, Any]) -> dict[str, Any]:
    """The values with their hash, which replaces an earlier one."""
    content = _without_key(values)
    return {**content, _KEY: hash_of(content)}


def verified(values: Any) -> dict[str, Any] | None:
    """The values without their hash; None where something has been changed."""
    if not isinstance(values, dict):
        return None
    content = _without_key(values)
    return content if values.get(_KEY) == hash_of(content) else None


def checksummed_text(text: str, comment: str = "") -> str:
    """Lines of text, and one more with their hash; `comment` is what makes a line a comment there."""
    return f"{text}{comment}{_KEY} {_text_hash(text)}\n"


def verified_text(checksummed: str, comment: str = "") -> str | None:
    """The lines of a checksummed text; None where something has been changed."""
    text, mark, found = checksummed.rpartition(f"{comment}{_KEY} ")
    return text if mark and found == f"{_text_hash(text)}\n" else None


def _without_key(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != _KEY}


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
