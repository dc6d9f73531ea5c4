"""The pages that people look at, in front of the API of a door.

In the flow: a client of the API like any other, but in the same process: every page is made of what the API answers to
whoever is signed in, and every form is a request to it. Nothing here decides anything that the API does not.
"""
