"""How the weights in `src/akto_proxy/guard/weights` are made; see docs/detection.md for the commands. Never imported by the product."""
