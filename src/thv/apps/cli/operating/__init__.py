"""The operator as somebody installs it: what is wanted, what is there, and the way from one to the other.

In the flow: behind `thv operator`, imported when one of its commands runs.
"""
