"""The checksums that tell a card, account or identity number from any other number."""

from __future__ import annotations

_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def is_luhn(digits: str) -> bool:
    """Payment cards and Swedish identity numbers. ISO/IEC 7812-1.

    Examples
    --------
    >>> is_luhn("4111111111111111"), is_luhn("4111111111111112")
    (True, False)
    """
    doubled = (int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits)))
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def is_iban(told: str) -> bool:
    """International bank account numbers. ISO 13616.

    Examples
    --------
    >>> is_iban("GB82WEST12345698765432"), is_iban("GB82WEST12345698765433")
    (True, False)
    """
    return 15 <= len(told) <= 34 and int("".join(str(int(each, 36)) for each in told[4:] + told[:4])) % 97 == 1


def is_nir(told: str) -> bool:
    """French social security numbers, 13 characters and a key of two digits."""
    body = told[:13].upper().replace("2A", "19").replace("2B", "18")
    return body.isdigit() and 97 - int(body) % 97 == int(told[13:])


def is_dni(told: str) -> bool:
    """Spanish identity numbers (DNI, NIE).

    Examples
    --------
    >>> is_dni("12345678Z"), is_dni("12345678A")
    (True, False)
    """
    number = told[:-1].upper().replace("X", "0").replace("Y", "1").replace("Z", "2")
    return _DNI_LETTERS[int(number) % 23] == told[-1].upper()


def is_steuer_id(digits: str) -> bool:
    """German tax identification numbers: eleven digits, the last by ISO 7064 mod 11,10.

    Examples
    --------
    >>> is_steuer_id("86095742719"), is_steuer_id("86095742710")
    (True, False)
    """
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product - 1) % 10 + 1) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def is_pesel(digits: str) -> bool:
    """Polish identity numbers.

    Examples
    --------
    >>> is_pesel("44051401359"), is_pesel("44051401358")
    (True, False)
    """
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 10 == 0
