"""The pages and the JSON API over the store."""
