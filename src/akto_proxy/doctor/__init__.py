"""Says what is wrong, and what to do about it: facts are gathered at sockets, verdicts about them are pure."""
