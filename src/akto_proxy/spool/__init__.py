"""Every exchange is written here before anything else can fail: append-only segment files, one writer a worker."""
