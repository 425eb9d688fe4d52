"""The JSON API under `/api/v1`: the same acts as the pages, for programs."""
