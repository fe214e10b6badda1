"""The grader: collect a hand-in, graft one definition onto the reference, run both, compare, say what is wrong."""
