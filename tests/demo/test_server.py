import asyncio

import httpx

from akto_proxy.demo.server import start


async def test_it_answers_and_streams_over_a_real_socket():
    async with await start("127.0.0.1", 0, pause=0.0) as server:
        port = server.sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            whole = await client.post("/generate", json={"inputs": "hi"})
            assert whole.json()["generated_text"].endswith("hi")
            body = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
            async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                lines = [line async for line in answer.aiter_lines() if line]
            assert lines[-1] == "data: [DONE]"
            assert (await client.get("/nothing")).status_code == 404


async def test_what_is_not_http_only_loses_its_connection():
    async with await start("127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"nonsense\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
