"""The demonstration endpoint on a real socket."""

import asyncio

import httpx
import pytest

from akto_proxy.demo.server import MAX_BODY, start_demo


@pytest.fixture
async def demo():
    server = await start_demo("127.0.0.1", 0, interval=0.001)
    port = server.sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client
    server.close()


async def test_plain_and_streamed_answers_on_one_connection(demo):
    for _ in range(2):
        answer = await demo.post("/generate", json={"inputs": "hi"})
        assert answer.json() == {"generated_text": "[demonstration] You said: hi"}
        assert answer.headers["x-compute-type"] == "demonstration"
        streamed = await demo.post("/generate_stream", json={"inputs": "hi"})
        assert streamed.headers["content-type"] == "text/event-stream"
        assert streamed.text.count("data: ") == 8
    assert (await demo.head("/health")).status_code == 200


async def test_limits_and_rubbish(demo):
    assert (await demo.post("/generate", content=b"x" * (MAX_BODY + 1))).status_code == 413
    reader, writer = await asyncio.open_connection("127.0.0.1", demo.base_url.port)
    writer.write(b"rubbish\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_a_stream_stops_when_its_caller_leaves(demo):
    async with demo.stream("POST", "/generate_stream", json={"inputs": "word " * 5000}) as answer:
        async for _ in answer.aiter_lines():
            break
    assert (await demo.get("/health")).status_code == 200
