"""Every code block of the guides, run as printed against the running product with its demonstration endpoint.

A block's language says what is done with it: `sh` is run by bash, `python` by this interpreter, `yaml` is loaded as
settings, `aws` is compared with AWS's own description of its API, and nothing else may stand in a guide but a drawing
(no language). `<!-- says: words -->` before a block is what its output must hold. Replaced are the product's ports, the
endpoint's URL (by the demonstration endpoint's) and `akto-proxy up` (it runs already).
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from akto_proxy.cli.build import policies
from akto_proxy.config.settings import load
from akto_proxy.limits.schema import parse_limits

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
PLACEHOLDER = "https://<id>.<region>.aws.endpoints.huggingface.cloud"
BLOCK = re.compile(
    r"(?:^<!-- says: (?P<says>[^\n]*) -->\n)?^```(?P<kind>\w*)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE
)
KINDS = {"sh", "python", "yaml", "aws", ""}


@dataclass(frozen=True)
class Block:
    """A code block, where it stands, and what its output must hold."""

    page: str
    number: int
    kind: str
    code: str
    says: str

    def __str__(self) -> str:
        return f"{self.page}-{self.number}-{self.kind}"


def blocks(*kinds: str) -> list[Block]:
    found = []
    for page in sorted(GUIDES.glob("*.md")):
        for number, match in enumerate(BLOCK.finditer(page.read_text("utf-8")), 1):
            if match["kind"] in kinds:
                found.append(Block(page.stem, number, match["kind"], match["code"], match["says"] or ""))
    return found


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Any]) -> Any:
    product = start_product("up", TOUR="false")
    for _ in range(600):  # the server takes a moment longer than the proxy
        run = subprocess.run(["curl", "-sf", product.server + "/health"], capture_output=True)
        if run.returncode == 0:
            break
        time.sleep(0.2)
    return product


def here(code: str, product: Any) -> str:
    """The block with this product's addresses for the printed ones."""
    port = int(product.environ["AKTO_PROXY_PORT"])
    code = code.replace("http://127.0.0.1:8080", product.proxy).replace("http://127.0.0.1:8090", product.server)
    code = code.replace("http://127.0.0.1:9090", f"http://127.0.0.1:{product.environ['ADMIN_PORT']}")
    code = code.replace(PLACEHOLDER, f"http://127.0.0.1:{port + 19}")
    return re.sub(r"^akto-proxy up$", f"curl -sf {product.proxy}/readyz", code, flags=re.MULTILINE)


def environ(product: Any) -> dict[str, str]:
    log = {"AKTO_PROXY_LOG": str(product.output), "AKTO_PROXY_PID": str(product.process.pid)}
    return {
        **product.environ,
        **log,
        "HF_TOKEN": "hf_" + "madeUpToken" * 3,
        "AKTO_PROXY_PORT": product.environ["AKTO_PROXY_PORT"],
    }


def output(command: list[str], product: Any) -> str:
    run = subprocess.run(command, env=environ(product), cwd=product.folder, capture_output=True, text=True, timeout=180)
    assert run.returncode == 0, f"{run.returncode}\n{run.stdout[-1500:]}\n{run.stderr[-1500:]}"
    return run.stdout + run.stderr


def test_each_guide_holds_only_blocks_that_are_run():
    for page in GUIDES.glob("*.md"):
        fences = re.findall(r"^```(\w*)$", page.read_text("utf-8"), re.MULTILINE)
        assert len(fences) % 2 == 0, page.name
        assert set(fences) <= KINDS, page.name


@pytest.mark.parametrize("block", blocks(""), ids=str)
def test_what_has_no_language_is_a_drawing(block: Block):
    assert "-->" in block.code or "+--" in block.code


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_commands(block: Block, product: Any):
    said = output(["bash", "-euo", "pipefail", "-c", here(block.code, product)], product)
    for _ in range(30):  # traces travel: spool, shipper, collector, store
        if block.says in said or "traces" not in block.code:
            break
        time.sleep(1)
        said = output(["bash", "-euo", "pipefail", "-c", here(block.code, product)], product)
    assert block.says in said


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_programs(block: Block, product: Any):
    for name in re.findall(r"^from (\w+)", block.code, re.MULTILINE):
        pytest.importorskip(name)
    assert block.says in output([sys.executable, "-c", here(block.code, product)], product)


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_settings(block: Block, tmp_path: Path):
    file = tmp_path / "settings.yaml"
    file.write_text(block.code)
    assert yaml.safe_load(block.code)
    settings = load({"DATA_DIR": str(tmp_path)}, str(file))
    parse_limits(settings.limits)
    assert policies(settings)


@pytest.mark.parametrize("line", [line for block in blocks("aws") for line in block.code.splitlines() if line], ids=str)
def test_calls_of_aws(line: str):
    botocore = pytest.importorskip("botocore.session")
    from botocore import xform_name
    from botocore.validate import validate_parameters

    words = shlex.split(line)
    assert words[0] == "aws"
    service = botocore.get_session().get_service_model(words[1])
    names = {xform_name(name, "-"): name for name in service.operation_names}
    shape = service.operation_model(names[words[2]]).input_shape
    members = {xform_name(name, "-"): (name, member) for name, member in shape.members.items()}
    # The command line's own short forms of this one call, which the API says as a list of permissions.
    short = {"authorize-security-group-ingress": {"protocol", "port", "source-group"}}.get(words[2], set())
    given: dict[str, Any] = {}
    for flag, values in options(words[3:]):
        if flag in short:
            continue
        negated = flag.removeprefix("no-")
        name, member = members[negated if flag not in members else flag]
        given[name] = parsed(member.type_name, flag, values)
    validate_parameters(given, shape)


def options(words: list[str]) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for word in words:
        if word.startswith("--"):
            found.append((word[2:], []))
        else:
            found[-1][1].append(word)
    return found


def parsed(kind: str, flag: str, values: list[str]) -> Any:
    if kind == "boolean":
        return not flag.startswith("no-")
    if kind == "list" and "=" in values[0]:
        return [shorthand(value) for value in values]
    return values if kind == "list" else " ".join(values)


def shorthand(value: str) -> dict[str, Any]:
    name, _, rest = value.partition(",")
    return {"Name": name.removeprefix("Name="), "Values": [rest.removeprefix("Values=")]}


def test_every_page_is_in_the_list():
    listed = set(re.findall(r"\((\w[\w-]*\.md)\)", (GUIDES / "README.md").read_text("utf-8")))
    assert listed == {page.name for page in GUIDES.glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("page", sorted(GUIDES.glob("*.md")), ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path):
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\(([^)#:]+)", text):
        assert (page.parent / link).exists(), link
    for path in re.findall(r"`((?:deploy|docs|tests|bench)/[\w./-]+)`", text):
        assert (GUIDES.parents[1] / path).exists(), path


def test_every_setting_that_is_named_exists():
    from akto_proxy.config.settings import CONFIG_VARIABLE, Settings

    others = {"HF_TOKEN", "AKTO_PROXY_PID", "AKTO_PROXY_LOG", "OPENAI_BASE_URL", "HTTPS_PROXY"}
    known = {name.upper() for name in Settings.model_fields} | {CONFIG_VARIABLE} | others
    for page in GUIDES.glob("*.md"):
        for name in re.findall(r"`([A-Z]{2,}_[A-Z_]+)(?:=[^`]*)?`", page.read_text("utf-8")):
            assert name in known, (page.name, name)
