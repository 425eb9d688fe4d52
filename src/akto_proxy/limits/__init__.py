"""How much a caller may use: requests, tokens, bytes, cost and concurrent calls, exactly, across workers and machines.

A limit is a leaky bucket kept as one number (GCRA). What is known before a call is charged at once; what is not
(tokens, bytes, cost) is held back as an estimate and settled when the call is over, so nobody can pass a limit by
starting many calls at the same time.
"""
