"""The guarded HTTP client: what anybody may name as a URL is fetched without harm to the machine that fetches.

In the flow: under every source, webhook and registry that is reached over HTTP. `url`, `guard` and `unpack` are
pure; `resolve` asks for addresses; `connect` opens sockets to judged addresses only; `client` is what others call.
Only `client` and `connect` load the HTTP library.
"""
