"""How much a caller may use: rates, tokens, concurrent streams."""
