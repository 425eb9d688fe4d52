"""What is done about findings: schema, packs, scope; compiles to what the exchange runs."""
