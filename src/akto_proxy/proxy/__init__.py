"""The data plane: sockets around the exchange. It takes no decision of its own."""
