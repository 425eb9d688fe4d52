"""Which addresses may be dialled, and that the address that was checked is the one that is dialled."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from akto_proxy.watch.notify.connect import RefusedAddressError, public, resolve


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public(address: str) -> None:
    assert public(address)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "ff02::1"],
)  # fmt: skip
def test_not_public(address: str) -> None:
    assert not public(address)


async def test_one_inner_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers with both is how rebinding begins."""

    async def both(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (address, 443)) for address in ("93.184.216.34", "127.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    with pytest.raises(RefusedAddressError):
        await resolve("evil.example", 443, private=False)
    assert await resolve("evil.example", 443, private=True) == "93.184.216.34"
