"""What web doors share: requests and answers as values, and the rules of HTTP that hold on every route.

In the flow: an ASGI server hands a request to `server`, `routing` finds the endpoint on the raw path, a handler
makes an answer of it, `server` sends that. No web framework is used, because none routes on the raw path, where
`a%2Fb` and `a/b` differ.
"""
