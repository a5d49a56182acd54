"""Addresses of metadata services are refused in every spelling; nothing is ever sent to them."""

import asyncio
from ipaddress import ip_network

import httpx
import pytest

from monitor.adapters import registry
from monitor.adapters.http.addresses import GuardedResolver, RefusedAddressError, check_address, is_link_local
from monitor.adapters.http.transport import open_client
from monitor.errors import RetrieverError

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


@pytest.mark.parametrize("private", [None, (ip_network("0.0.0.0/0"), ip_network("::/0"))])
@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:169.254.169.254]", "[fe80::1]", "[fd00:ec2::254]"])
def test_an_address_in_a_url_is_refused_before_anything_is_sent(host, private, monkeypatch):
    """An address needs no resolver, so it is checked before a connection is opened."""

    async def open_nothing(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("aiohttp.ClientSession._request", open_nothing)

    async def request() -> httpx.Response:
        async with open_client(timeout_s=1, connections=1, private=private) as client:
            return await client.post(f"http://{host}/latest/meta-data")

    with pytest.raises(RefusedAddressError):
        asyncio.run(request())


@pytest.mark.parametrize("host", ["2852039166", "0xA9FEA9FE", "0251.0376.0251.0376", "169.254.43518"])
def test_an_address_in_another_notation_is_refused_when_it_is_resolved(host):
    """Decimal, hexadecimal, octal and short notations resolve to the same address."""

    async def resolve() -> object:
        return await GuardedResolver(None).resolve(host, 80)

    with pytest.raises((RefusedAddressError, OSError)):
        asyncio.run(resolve())


PRIVATE = ["127.0.0.1", "::1", "10.20.0.7", "192.168.1.1", "fd00::1", "::ffff:10.20.0.7", "64:ff9b::a14:7", "::",
           "224.0.0.1", "100.64.0.1"]  # fmt: skip
PUBLIC = ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_from_elsewhere_needs_a_network(address):
    """What arrives over HTTP may be loopback or private only within `server.allow_private`."""
    with pytest.raises(RefusedAddressError, match=r"server\.allow_private"):
        check_address(address, (ip_network("172.16.0.0/12"),))


@pytest.mark.parametrize(
    ("address", "network"),
    [("127.0.0.1", "127.0.0.0/8"), ("::1", "::1/128"), ("::ffff:10.20.0.7", "10.20.0.0/16"), ("fd00::1", "fd00::/8")],
)
def test_an_allowed_network_is_used(address, network):
    """A network allows its addresses in every spelling."""
    check_address(address, (ip_network(network),))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_needs_no_network(address):
    """Public addresses are not restricted by their number."""
    check_address(address, ())


@pytest.mark.parametrize("address", METADATA)
def test_no_network_allows_a_metadata_address(address):
    """Not even a network that contains every address."""
    with pytest.raises(RefusedAddressError, match="never allowed"):
        check_address(address, (ip_network("0.0.0.0/0"), ip_network("::/0")))


@pytest.mark.parametrize(
    ("host", "networks", "problem"),
    [
        ("localhost", [], "server.allow_private"),
        ("127.0.0.1", [], "server.allow_private"),
        ("localhost", ["127.0.0.0/8", "::1/128"], "no connection"),
    ],
)
def test_a_retriever_checks_its_address_at_each_connection(host, networks, problem):
    """A candidate of a gate is refused after resolving, with the remedy; an operator's metadata address is, too."""
    options = {"kind": "http", "url": f"http://{host}:9/search", "allow_private": networks}
    retriever = registry.resolve("retriever", options, where="r").build()

    async def probe() -> None:
        try:
            await retriever.retrieve("a question", 5)
        finally:
            await retriever.close()

    with pytest.raises(RetrieverError, match=problem):
        asyncio.run(probe())
