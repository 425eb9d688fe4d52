"""`python -m akto_proxy` is the `akto-proxy` command."""

from akto_proxy.cli.main import run

if __name__ == "__main__":
    run()
