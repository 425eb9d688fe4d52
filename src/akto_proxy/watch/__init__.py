"""What is unusual in the stream of traces, what a person should hear of it, and how they hear it.

Observations go in; anomalies come out, each with what was expected, what was seen and since when. Alerts of one cause
become one incident; incidents are told to people and, where the operator says so, answered by a reversible measure.
Everything is online and bounded: an attacker who invents callers cannot make it grow.
"""
