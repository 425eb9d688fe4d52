"""Find and replace strings in bodies: content types, routes, JSON, event streams. No rules, no sockets."""
