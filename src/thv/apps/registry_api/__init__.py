"""The registry API: one or several registries over HTTP, in our own API and in the official one.

In the flow: `follow` keeps read models in step with the registries' status, `site` says what lies where, and
each handler module makes an answer of one question to a read model.
"""
