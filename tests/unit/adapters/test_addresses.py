"""Addresses of metadata services are refused in every spelling; nothing is ever sent to them."""

import asyncio

import httpx
import pytest

from monitor.adapters.http.transport import GuardedResolver, LinkLocalError, is_link_local, open_client

METADATA = [
    "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "::169.254.169.254",
    "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "fd00:ec2::254", "100.100.100.200", "::ffff:100.100.100.200",
    "64:ff9b::6464:64c8",
]  # fmt: skip
USED = ["127.0.0.1", "10.0.0.7", "192.168.1.1", "::1", "fd00:ec2::1", "100.100.100.201", "1.1.1.1", "2606:4700::1111"]


@pytest.mark.parametrize("address", METADATA)
def test_metadata_addresses_are_known_in_every_spelling(address):
    """Link-local and metadata addresses are refused, also as IPv4 inside IPv6."""
    assert is_link_local(address)


@pytest.mark.parametrize("address", USED)
def test_addresses_that_an_operator_writes_are_used(address):
    """Loopback, private and public addresses of the configuration are intentional."""
    assert not is_link_local(address)


@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:169.254.169.254]", "[fe80::1]", "[fd00:ec2::254]"])
def test_an_address_in_a_url_is_refused_before_anything_is_sent(host, monkeypatch):
    """An address needs no resolver, so it is checked before a connection is opened."""

    async def open_nothing(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("aiohttp.ClientSession._request", open_nothing)

    async def request() -> httpx.Response:
        async with open_client(timeout_s=1, connections=1, allow_private_hosts=()) as client:
            return await client.post(f"http://{host}/latest/meta-data")

    with pytest.raises(LinkLocalError):
        asyncio.run(request())


@pytest.mark.parametrize("host", ["2852039166", "0xA9FEA9FE", "0251.0376.0251.0376", "169.254.43518"])
def test_an_address_in_another_notation_is_refused_when_it_is_resolved(host):
    """Decimal, hexadecimal, octal and short notations resolve to the same address."""

    async def resolve() -> object:
        return await GuardedResolver(()).resolve(host, 80)

    with pytest.raises((LinkLocalError, OSError)):
        asyncio.run(resolve())


def test_an_allowed_host_may_be_link_local():
    """An operator who means it names the host in `allow_private_hosts`."""

    async def resolve() -> object:
        return await GuardedResolver(("169.254.169.254",)).resolve("169.254.169.254", 80)

    assert asyncio.run(resolve())
