"""The ingestion server: our batches and Akto's wire formats in, store out."""
