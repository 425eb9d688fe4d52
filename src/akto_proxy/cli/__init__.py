"""The `akto-proxy` command: the only place where the parts meet."""
