"""The pages and JSON API where traces are read, decisions judged, policies changed and incidents closed."""
