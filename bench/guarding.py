"""The product's own data plane in one process: default policy, every rule, both directions, traces to a spool.

Usage: python bench/guarding.py LISTEN_PORT UPSTREAM_PORT
"""

from __future__ import annotations

import os
import sys
import tempfile

from akto_proxy.cli.worker import main
from akto_proxy.config.settings import load

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="akto-bench-") as folder:
        chosen = {
            "APP_URL": f"http://127.0.0.1:{sys.argv[2]}",
            "AKTO_PROXY_PORT": sys.argv[1],
            "DATA_DIR": folder,
            "LOG_LEVEL": "ERROR",
        }
        os.environ.update(chosen)
        main(load(os.environ, None), 0)
