"""Seeds: one number for every use of randomness, derived from the run's seed."""

from __future__ import annotations

from hashlib import blake2b


def derive_seed(seed: int, *parts: str | int) -> int:
    """Seed in [0, 2**63) for one use, such as `derive_seed(seed, "finetune", epoch)`.

    Uses that differ in any part get unrelated seeds, so none of them depends on how
    often another drew a number.
    """
    text = "\x1f".join(map(str, (seed, *parts)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
