"""A small built-in model endpoint, TGI- and OpenAI-shaped, to show the proxy without any other part."""
