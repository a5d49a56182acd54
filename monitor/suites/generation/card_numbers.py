"""Numbers of payment cards: the prefixes and lengths that issuers use, and the Luhn check digit (ISO/IEC 7812-1)."""

from __future__ import annotations

from typing import NamedTuple

from stdnum import luhn


class IssuerRange(NamedTuple):
    """A range of prefixes of one card scheme, with the lengths of its numbers."""

    first: str
    last: str
    lengths: range


_RANGES = (
    IssuerRange("4", "4", range(13, 20, 3)),  # Visa
    IssuerRange("51", "55", range(16, 17)),  # Mastercard
    IssuerRange("2221", "2720", range(16, 17)),
    IssuerRange("34", "34", range(15, 16)),  # American Express
    IssuerRange("37", "37", range(15, 16)),
    IssuerRange("300", "305", range(14, 20)),  # Diners Club
    IssuerRange("3095", "3095", range(14, 20)),
    IssuerRange("36", "36", range(14, 20)),
    IssuerRange("38", "39", range(14, 20)),
    IssuerRange("3528", "3589", range(16, 20)),  # JCB
    IssuerRange("60", "60", range(16, 20)),  # Discover, RuPay
    IssuerRange("644", "659", range(16, 20)),
    IssuerRange("508", "508", range(16, 17)),  # RuPay
    IssuerRange("81", "82", range(16, 20)),
    IssuerRange("62", "62", range(16, 20)),  # UnionPay
    IssuerRange("2200", "2204", range(16, 20)),  # Mir
    IssuerRange("9792", "9792", range(16, 17)),  # Troy
    IssuerRange("50", "50", range(13, 20)),  # Maestro
    IssuerRange("56", "58", range(13, 20)),
    IssuerRange("61", "61", range(13, 20)),
    IssuerRange("63", "63", range(13, 20)),
    IssuerRange("67", "69", range(13, 20)),
)


def is_card_number(digits: str) -> bool:
    """Whether digits have the prefix, the length and the check digit of a payment card.

    Examples
    --------
    >>> is_card_number("4111111111111111"), is_card_number("4111111111111112"), is_card_number("41111111111114")
    (True, False, False)
    """
    return luhn.is_valid(digits) and any(
        issuer.first <= digits[: len(issuer.first)] <= issuer.last and len(digits) in issuer.lengths
        for issuer in _RANGES
    )
