"""The tour of `up`: what it prints is what happened, also where nothing is guarded."""

import asyncio
import io

import pytest
from rich.console import Console

from akto_proxy.cli import tour
from akto_proxy.demo.server import start_demo


async def told(url: str) -> str:
    out = io.StringIO()
    await asyncio.to_thread(tour.give, url, Console(file=out, soft_wrap=True))
    return out.getvalue()


@pytest.fixture
async def unguarded():
    server = await start_demo("127.0.0.1", 0, interval=0.0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_a_title_that_does_not_hold_is_taken_back(unguarded):
    text = await told(unguarded)
    assert text.count("caller got    HTTP 200") == 3
    assert text.count("but not here") == 3
    assert "akto-proxy policy versions" in text


def test_a_guarded_tour_takes_nothing_back(start_product):
    product = start_product("up", TOUR="false")
    text = asyncio.run(told(product.proxy))
    assert "HTTP 400" in text
    assert "but not here" not in text
