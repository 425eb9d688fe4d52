"""The image: its Dockerfile linted and compared with the repository, and the product run as the image would run it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from akto_proxy.config.settings import load
from deploy.settings import DEPLOY, ROOT, SETTINGS
from tests_support import free_port

FILE = DEPLOY / "docker" / "Dockerfile"
TEXT = FILE.read_text("utf-8")
PLACES = {"PATH", "HOME", "TMPDIR", "PYTHONDONTWRITEBYTECODE"}
HADOLINT = Path(sys.executable).parent / "hadolint"


def instructions() -> list[str]:
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE))
    return [" ".join(line.split()) for line in joined.splitlines() if line.strip()]


def final() -> list[str]:
    whole = instructions()
    return whole[max(n for n, line in enumerate(whole) if line.startswith("FROM ")) :]


def variables() -> dict[str, str]:
    pairs = [pair for line in final() if line.startswith("ENV ") for pair in line[4:].split()]
    return dict(pair.split("=", 1) for pair in pairs)


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint is not installed: pip install -e '.[deploy]'")
def test_the_linter_finds_nothing():
    run = subprocess.run([str(HADOLINT), str(FILE)], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "")


def test_what_is_copied_is_there_and_is_sent_to_the_builder():
    sent = {line[1:] for line in (FILE.parent / "Dockerfile.dockerignore").read_text().split() if line[0] == "!"}
    for line in instructions():
        if line.startswith("COPY ") and "--from=" not in line:
            names = line.split()[1:-1]
            assert set(names) <= sent
            assert all((ROOT / name).exists() for name in names)


def test_the_image_runs_as_nobody_known_and_says_what_it_is():
    lines = final()
    assert "USER 10001:10001" in lines
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    assert 'ENTRYPOINT ["akto-proxy"]' in lines
    assert not any(line.startswith(("USER root", "ADD ")) for line in lines)
    volume = next(line for line in lines if line.startswith("VOLUME "))
    assert variables()["DATA_DIR"] in volume


def test_the_variables_are_settings_with_the_ports_that_are_exposed():
    told = {name: value for name, value in variables().items() if name not in PLACES}
    assert set(told) <= SETTINGS
    settings = load(told)
    ports = f"EXPOSE {settings.akto_proxy_port} {settings.server_port} {settings.admin_port}"
    assert ports in final()


def test_what_is_in_the_image_is_listed():
    assert any("cyclonedx-py environment" in line for line in instructions())
    assert "COPY --from=sbom /opt/akto-proxy /opt/akto-proxy" in final()


def test_no_host_of_a_registry_is_named():
    for line in instructions():
        assert not re.search(r"\b[\w-]+\.(io|com|dev|aws)/", line), line


def may_make_namespaces() -> bool:
    if os.geteuid() != 0 or not all(shutil.which(tool) for tool in ("unshare", "setpriv", "mount")):
        return False
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


@dataclass
class Contained:
    """The product as user 10001 without capabilities, on a root that is read-only but for its data."""

    url: str
    server: str
    process: subprocess.Popen[bytes]
    output: Path


@pytest.fixture(scope="module")
def contained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contained]:
    if not may_make_namespaces():
        pytest.skip("needs root and util-linux to make a mount namespace")
    folder = tmp_path_factory.mktemp("contained")
    output = folder / "output.txt"
    data = Path("/mnt")  # the test's own folder is closed to other users; here it is a mount that nobody else sees
    ports = [free_port(19), free_port(), free_port()]
    script = textwrap.dedent(
        f"""
        set -e
        mount --make-rprivate /
        {opened(Path(sys.base_prefix), Path(sys.prefix), ROOT / "src")}
        mount -t tmpfs -o mode=0700,uid=10001,gid=10001 tmpfs {data}
        mount -o remount,bind,ro /
        exec setpriv --reuid 10001 --regid 10001 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs \\
          {Path(sys.executable).parent}/akto-proxy up
        """
    )
    told = {**variables(), "DATA_DIR": str(data), "HOME": str(data), "TMPDIR": str(data)}
    told |= {"PATH": os.environ["PATH"], "WORKERS": "1", "TOUR": "false"}
    told |= dict(zip(("AKTO_PROXY_PORT", "SERVER_PORT", "ADMIN_PORT"), map(str, ports), strict=True))
    told |= {"AKTO_PROXY_HOST": "127.0.0.1", "SERVER_HOST": "127.0.0.1", "ADMIN_HOST": "127.0.0.1"}
    with output.open("wb") as sink:
        command = ["unshare", "--mount", "sh", "-c", script]
        process = subprocess.Popen(command, env=told, cwd="/", stdout=sink, stderr=sink)
    made = Contained(f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}", process, output)
    try:
        wait_for(made)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def opened(*places: Path) -> str:
    """Commands that let others reach these places where a folder above them is closed (a pyenv under /root)."""
    lines = []
    for number, place in enumerate(places):
        closed = next((folder for folder in reversed(place.parents) if not folder.stat().st_mode & 0o001), None)
        if closed is not None:
            kept = f"/media/{number}"
            lines += [
                "mountpoint -q /media || mount -t tmpfs tmpfs /media",
                f"mkdir {kept} && mount --bind {place} {kept}",
                f"mount -t tmpfs -o mode=0755 tmpfs {closed}",
                f"mkdir -p {place} && mount --bind {kept} {place}",
            ]
    return "\n        ".join(lines)


def wait_for(made: Contained) -> None:
    for _ in range(900):
        assert made.process.poll() is None, made.output.read_text()[-2000:]
        try:
            for url in (made.url + "/readyz", made.server + "/health"):
                urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(made.output.read_text()[-2000:])


def test_it_serves_on_a_read_only_root_without_rights(contained: Contained):
    body = b'{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}'
    request = urllib.request.Request(contained.url + "/v1/chat/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
        assert answer.headers["x-akto-trace-id"]
    with urllib.request.urlopen(contained.server + "/health", timeout=30) as answer:
        assert answer.status == 200
    said = contained.output.read_text()
    assert '"level": "error"' not in said, said
    assert "Read-only file system" not in said


def test_the_health_check_of_the_image_says_well_and_unwell(contained: Contained):
    command = next(line for line in final() if line.startswith("HEALTHCHECK "))
    code = re.search(r'"-c", "(.*)"\]$', command)
    assert code
    port = contained.url.rpartition(":")[2]
    for told, wanted in ((port, 0), (str(free_port()), 1)):
        run = subprocess.run([sys.executable, "-c", code[1]], env={"AKTO_PROXY_PORT": told}, capture_output=True)
        assert run.returncode == wanted


@pytest.mark.slow
def test_the_commands_of_the_build_do_what_they_say(tmp_path: Path):
    """Every RUN of the Dockerfile in order, with its absolute paths moved under a folder."""
    source, target, tools = tmp_path / "src", tmp_path / "akto-proxy", tmp_path / "tools"
    source.mkdir()
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "NOTICE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    arguments = dict(line[4:].split("=", 1) for line in instructions() if line.startswith("ARG "))
    for line in instructions():
        if not line.startswith("RUN python"):
            continue
        command = line[4:].replace("/opt/akto-proxy", str(target)).replace("/opt/tools", str(tools))
        command = command.replace("${CYCLONEDX_VERSION}", arguments["CYCLONEDX_VERSION"])
        command = re.sub(r"^python|(?<=&& )python", sys.executable, command)
        run = subprocess.run(["sh", "-c", command], cwd=source, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr[-2000:]
    version = subprocess.run([str(target / "bin" / "akto-proxy"), "version"], capture_output=True, text=True)
    assert version.returncode == 0
    assert '"name": "akto-agent-proxy"' in (target / "sbom.cdx.json").read_text()
