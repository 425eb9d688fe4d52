"""One request and its answer, bytes in and bytes out: joins guard, wire and policy. No I/O."""
