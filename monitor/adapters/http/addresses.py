"""Addresses that are never used, and those that only an operator may choose; checked after resolving.

Link-local addresses and those of metadata services are always refused: clouds serve credentials there. An operator may
write any other address in the configuration or on the command line. An address from elsewhere, such as the candidate of
a gate over HTTP, may be loopback or private only within the networks of ``server.allow_private``.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

import aiohttp

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "fd00:ec2::254")))
"""Metadata services of clouds outside the link-local ranges: Alibaba Cloud, and AWS over IPv6."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class RefusedAddressError(OSError):
    """The host is, or resolves to, an address that may not be used. The text has the address and the remedy."""


class GuardedResolver(aiohttp.ThreadedResolver):
    """Resolver that refuses names with an address that may not be used: a name can later be pointed anywhere."""

    def __init__(self, private: Sequence[Network] | None) -> None:
        super().__init__()
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """Resolve a name. Raises RefusedAddressError if any of its addresses may not be used."""
        addresses = await super().resolve(host, port, family)
        for address in addresses:
            check_address(address["host"], self._private)
        return addresses


def check_host(host: str, private: Sequence[Network] | None) -> None:
    """Raise RefusedAddressError for a host that is an address and may not be used; names are checked when resolved."""
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return
    check_address(host.strip("[]"), private)


def check_address(address: str, private: Sequence[Network] | None) -> None:
    """Raise RefusedAddressError for an address that may not be used; ``private`` is None for an operator's choice."""
    if is_link_local(address):
        raise RefusedAddressError("the address is link-local or of a metadata service, which is never allowed")
    if private is not None and not _is_allowed(address, private):
        raise RefusedAddressError(
            "the address is loopback or private; its network can be added to server.allow_private"
        )


def is_link_local(address: str) -> bool:
    """Whether an address is link-local or of a metadata service, also as IPv4 inside IPv6 (mapped, 6to4, NAT64)."""
    return any(each.is_link_local or each in _METADATA for each in spellings(address))


def spellings(address: str) -> list[Address]:
    """The address, and the IPv4 addresses that it contains."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return [parsed]
    inner = [parsed.ipv4_mapped, parsed.sixtofour]
    if parsed in _NAT64 or 1 < int(parsed) < 2**32:  # the last 32 bits are the IPv4 address; ::1 is loopback
        inner.append(ipaddress.IPv4Address(int(parsed) % 2**32))
    return [parsed, *(each for each in inner if each is not None)]


def _is_allowed(address: str, private: Sequence[Network]) -> bool:
    """Whether the innermost address is public, or any spelling is in one of the networks."""
    addresses = spellings(address)
    is_public = addresses[-1].is_global and not addresses[-1].is_multicast
    return is_public or any(each in network for each in addresses for network in private)
