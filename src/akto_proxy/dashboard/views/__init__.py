"""The pages, one file a subject: a request in, a template with data out."""
