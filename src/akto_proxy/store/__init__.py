"""Keep traces and control data, and answer the named queries about them."""
