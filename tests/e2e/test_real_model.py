"""A real model server behind the proxy, called by the real clients.

`transformers serve` with a tiny trained Llama: its answers hold an e-mail address, a phone number, a key, a card and a
social security number. None may reach a caller; the Japanese answer must arrive intact. Heavy (1.5 GB, minutes), so it
runs with `make test-e2e` only. The model's recipe is not ours: it is read from the folder beside the project.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests_support import free_port

ROOT = Path(__file__).parents[2]
RECIPE = ROOT.parent / "shared" / "upstream" / "make_tiny_llama.py"
BUILD = ROOT / "build" / "e2e"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not RECIPE.exists(), reason=f"the model's recipe is not at {RECIPE.name} beside the project"),
]

SECRET_ANSWERS = {
    "who is the contact": ["jane.doe@example.com", "415-555-0132"],
    "what is the key": ["AKIAIOSFODNN7EXAMPLE"],
    "card": ["4111 1111 1111 1111"],
    "ssn": ["219-09-9999"],
}
WAYS = [
    "hub",
    "hub stream",
    "hub async",
    "openai",
    "openai stream",
    "openai responses",
    "openai responses stream",
    "langchain",
]
JAPANESE = "こんにちは、世界！🌍✨"


def made(command: list[str], done: Path) -> None:
    if not done.exists():
        subprocess.run(command, check=True, timeout=900)


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """The URL of `transformers serve` with the tiny model under the names that clients use."""
    python = BUILD / "venv" / "bin" / "python"
    made([sys.executable, "-m", "venv", str(BUILD / "venv")], python)
    packages = ["torch==2.13.0", "transformers[serving]==5.23.0"]
    made([str(python), "-m", "pip", "install", "-q", *packages], BUILD / "venv" / "bin" / "transformers")
    made([str(python), str(RECIPE), str(BUILD / "tiny-llama"), "--train-steps", "300"], BUILD / "tiny-llama")
    models, home, port = BUILD / "models", BUILD / "home", free_port()
    models.mkdir(exist_ok=True)
    (home / "hub").mkdir(parents=True, exist_ok=True)
    for name in ("tiny-llama", "tgi", "dummy"):
        if not (models / name).exists():
            (models / name).symlink_to(BUILD / "tiny-llama")
    offline = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    options = [
        "--host",
        "127.0.0.1",
        "--device",
        "cpu",
        "--dtype",
        "float32",
        "--model-timeout",
        "-1",
        "--log-level",
        "warning",
    ]
    with (BUILD / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [str(BUILD / "venv" / "bin" / "transformers"), "serve", "--port", str(port), *options],
            cwd=models,
            env={**os.environ, **offline},
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(url + "/health", timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (BUILD / "serve.log").read_text()[-1000:]
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def product(model: str, start_product: Callable[..., Any]) -> Any:
    return start_product("up", APP_URL=model)


def ways(url: str) -> dict[str, Callable[[str], str]]:
    """Every client and call of the guide, each asked a question, each giving the text it read."""
    from huggingface_hub import AsyncInferenceClient, InferenceClient
    from openai import OpenAI

    hub = InferenceClient(base_url=url, token="hf_" + "x" * 34)
    openai = OpenAI(base_url=url + "/v1", api_key="hf_" + "x" * 34, max_retries=0)

    def asked(question: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": question}]

    def hub_stream(question: str) -> str:
        chunks = hub.chat_completion(asked(question), stream=True, max_tokens=64)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    def openai_whole(question: str) -> str:
        answer = openai.chat.completions.create(model="tiny-llama", messages=asked(question), max_tokens=64)
        return str(answer.choices[0].message.content)

    def openai_stream(question: str) -> str:
        chunks = openai.chat.completions.create(
            model="tiny-llama", messages=asked(question), stream=True, max_tokens=64
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    def responses_whole(question: str) -> str:
        answer = openai.responses.create(model="tiny-llama", input=question, max_output_tokens=64)
        return str(getattr(answer, "output_text", answer))  # this server streams events even when not asked to

    def responses_stream(question: str) -> str:
        events = openai.responses.create(model="tiny-llama", input=question, stream=True, max_output_tokens=64)
        return "".join(str(event.model_dump()) for event in events)

    def langchain(question: str) -> str:
        from langchain_openai import ChatOpenAI

        return str(ChatOpenAI(base_url=url + "/v1", api_key="x", model="tiny-llama").invoke(question).content)

    async def hub_async(question: str) -> str:
        client = AsyncInferenceClient(base_url=url, token="hf_" + "x" * 34)  # it belongs to one event loop
        return str((await client.chat_completion(asked(question), max_tokens=64)).choices[0].message.content)

    return {
        "hub": lambda q: str(hub.chat_completion(asked(q), max_tokens=64).choices[0].message.content),
        "hub stream": hub_stream,
        "hub async": lambda q: asyncio.run(hub_async(q)),
        "openai": openai_whole,
        "openai stream": openai_stream,
        "openai responses": responses_whole,
        "openai responses stream": responses_stream,
        "langchain": langchain,
    }


@pytest.mark.parametrize("way", WAYS)
def test_no_protected_text_reaches_a_client_and_clean_text_does(product: Any, way: str):
    ask = ways(product.proxy)[way]
    for question, values in SECRET_ANSWERS.items():
        answer = ask(question)
        assert "<" in answer, (way, question)
        for value in values:
            assert value not in answer, (way, question)
    assert JAPANESE in ask("say hi in japanese")
    assert "Paris" in ask("what is the capital of france")


def test_nothing_that_was_protected_is_on_disk_or_in_a_log(product: Any):
    time.sleep(3)
    values = [value for values in SECRET_ANSWERS.values() for value in values]
    for path in [product.output, *(p for p in (product.folder / "data").rglob("*") if p.is_file())]:
        data = path.read_bytes()
        assert not [value for value in values if value.encode() in data], path
