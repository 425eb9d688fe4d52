"""Fuzz one target with atheris for some seconds, from its saved corpus.

    pip install -e '.[fuzz]'
    python fuzz/run.py TARGET [--seconds 900]      findings land in fuzz/findings/

A finding is minimised by hand, kept in fuzz/corpus/TARGET/ (which the tests replay), and fixed with a test beside it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

with atheris.instrument_imports(
    include=["akto_proxy.wire", "akto_proxy.proxy", "akto_proxy.spool", "akto_proxy.policy", "akto_proxy.guard"]
):
    from targets import TARGETS


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--work", default="", help="folder for the growing corpus (default: a temporary one beside it)")
    options = parser.parse_args()
    seeds = HERE / "corpus" / options.target
    work = Path(options.work) if options.work else HERE / ".work" / options.target
    findings = HERE / "findings"
    for folder in (seeds, work, findings):
        folder.mkdir(parents=True, exist_ok=True)
    flags = [f"-max_total_time={options.seconds}", "-max_len=4096", "-timeout=60", "-rss_limit_mb=2048"]
    TARGETS[options.target](next(iter(sorted(seeds.iterdir()))).read_bytes())  # what is made once is made here
    atheris.Setup(
        [sys.argv[0], *flags, f"-artifact_prefix={findings}/{options.target}-", str(work), str(seeds)],
        TARGETS[options.target],
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
