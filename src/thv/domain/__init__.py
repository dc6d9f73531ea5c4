"""Words: the frozen values and rules that every other room speaks in.

In the flow: under everything. Nothing here does I/O or reads a clock.
"""
