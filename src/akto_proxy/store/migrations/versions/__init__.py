"""One file a step, numbered. A step, once released, is never edited."""
