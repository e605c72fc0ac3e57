"""Recipients fit for lists and logs (Personal Data Protection Act, art. 5)."""

from __future__ import annotations

from orders import phones


def mask(recipient: str) -> str:
    """`0912-***-678` of a number, `w***@example.org` of an e-mail address."""
    name, at, host = recipient.rpartition("@")
    return f"{name[:1]}***@{host}" if at else phones.mask(recipient)
