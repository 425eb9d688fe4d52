"""Every recorded request and answer of real clients, through a real proxy on real sockets: clean ones byte for byte.

The recordings lie beside the project, not in it; without them this file is skipped and says so.
"""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.cli import worker
from akto_proxy.config.settings import load
from akto_proxy.proxy.server import Server

FOLDER = Path(__file__).parents[2] / "shared" / "fixtures" / "hugging-face"
CASES = [
    path
    for path in sorted(FOLDER.glob("*.json"))
    if isinstance(case := json.loads(path.read_text("utf-8")), dict) and case.get("requests") and "response" in case
]

pytestmark = pytest.mark.skipif(not CASES, reason="the recordings of real clients are not beside the project")
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server", "accept-encoding"}


def bytes_of(item: dict[str, Any]) -> bytes:
    if item.get("body_b64"):
        return base64.b64decode(item["body_b64"])
    if item.get("body_text") is not None:
        return str(item["body_text"]).encode()
    return json.dumps(item["body_json"]).encode() if item.get("body_json") is not None else b""


def pairs(headers: Any) -> list[tuple[str, str]]:
    return [(str(k), str(v)) for k, v in (headers.items() if isinstance(headers, dict) else headers)]


def kept(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    gone = ("x-proxied-", "x-akto-", "server-timing")
    return sorted((k.lower(), v) for k, v in headers if k.lower() not in HOP and not k.lower().startswith(gone))


class Upstream:
    """Answers every request with one recorded answer, and remembers what it was sent."""

    def __init__(self, response: dict[str, Any]) -> None:
        self.response = response
        self.seen: tuple[str, list[tuple[str, str]], bytes] | None = None

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen = await read_message(reader)
        body = bytes_of(self.response)
        head = f"HTTP/1.1 {self.response['status']} X\r\n"
        for name, value in pairs(self.response["headers"]):
            if name.lower() not in HOP:
                head += f"{name}: {value}\r\n"
        writer.write(head.encode("latin-1") + f"content-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


async def read_message(reader: asyncio.StreamReader) -> tuple[str, list[tuple[str, str]], bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = [(n, v.strip()) for n, _, v in (line.partition(":") for line in lines[1:] if line)]
    by_name = {name.lower(): value for name, value in headers}
    if "content-length" in by_name:
        return lines[0], headers, await reader.readexactly(int(by_name["content-length"]))
    if by_name.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        return lines[0], headers, body
    return lines[0], headers, b""


async def through(case: dict[str, Any], handler: Any, folder: Path) -> tuple[Any, Any]:
    upstream = Upstream(case["response"])
    async with await asyncio.start_server(upstream.client, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        settings = load({"APP_URL": f"http://127.0.0.1:{port}", "AKTO_PROXY_PORT": "0", "DATA_DIR": str(folder)})
        server = Server(worker.proxy_options(settings), handler)
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        request = case["requests"][0]
        body = bytes_of(request)
        head = f"{request['method']} {request['target']} HTTP/1.1\r\nhost: proxy\r\n"
        for name, value in pairs(request["headers"]):
            if name.lower() not in HOP:
                head += f"{name}: {value}\r\n"
        writer.write(head.encode("latin-1") + f"content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = await asyncio.wait_for(read_message(reader), 10)
        writer.close()
        await server.drain()
    return upstream.seen, answer


WATCHING = """
version: 1
policies:
  - {name: watch, action: alert, on_error: allow, rules: [{detect: [secrets, pii, injection]}]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def watching(folder: Path) -> Any:
    """Reads everything, reports what it finds, changes nothing: so every recording counts as clean."""
    (folder / "watch.yaml").write_text(WATCHING)
    return worker.handler(load({"DATA_DIR": str(folder), "POLICY_FILE": str(folder / "watch.yaml")}))


@pytest.fixture(scope="module")
def guarding(folder: Path) -> Any:
    return worker.handler(load({"DATA_DIR": str(folder)}))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
async def test_what_is_clean_passes_byte_for_byte(path: Path, watching: Any, tmp_path: Path):
    case = json.loads(path.read_text("utf-8"))
    seen, answer = await through(case, watching, tmp_path)
    assert seen is not None, answer[2][:300]
    assert seen[2] == bytes_of(case["requests"][0])
    assert answer[2] == bytes_of(case["response"])
    assert kept(seen[1]) == kept(pairs(case["requests"][0]["headers"]))
    assert kept(answer[1]) == kept(pairs(case["response"]["headers"]))
    assert answer[0].split()[1] == str(case["response"]["status"])


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
async def test_the_address_in_the_recordings_reaches_nobody(path: Path, guarding: Any, tmp_path: Path):
    seen, answer = await through(json.loads(path.read_text("utf-8")), guarding, tmp_path)
    assert b"jane.doe@example.com" not in answer[2]
    assert seen is None or b"jane.doe@example.com" not in seen[2]
