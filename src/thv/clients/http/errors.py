"""What can go wrong with a request, said precisely.

In the flow: raised by this room alone, translated once by each adapter. Every message is for a person and holds no
secret: URLs are shown without their query, headers by name only.
"""

from __future__ import annotations


class HttpError(Exception):
    """A request that did not work."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UrlInvalidError(HttpError):
    """The text is no URL that this client takes."""


class HeaderInvalidError(HttpError):
    """A header cannot be sent as it is; the message names the header, never its value."""


class AddressDeniedError(HttpError):
    """The URL leads to a place that nobody's URL may reach."""

    def __init__(self, message: str, *, host: str, port: int, openable: bool) -> None:
        """`openable`: an entry of the allow-list for this host and port would change the answer."""
        super().__init__(message)
        self.host = host
        self.port = port
        self.openable = openable


class RedirectRefusedError(HttpError):
    """The other side sent us on to where we do not go."""


class TooManyRedirectsError(RedirectRefusedError):
    """More redirects than the limit."""


class NameUnknownError(HttpError):
    """The host name has no address."""


class ConnectError(HttpError):
    """No connection: refused, unreachable."""


class TlsError(HttpError):
    """The other side's certificate or its TLS is not acceptable."""


class ProxyFailedError(HttpError):
    """The configured proxy did not let us through."""


class BrokenError(HttpError):
    """The connection ended early, or what came is not HTTP."""


class TimedOutError(HttpError):
    """The other side took longer than the limit."""


class TooLargeError(HttpError):
    """The answer is larger than the limit, packed or unpacked."""

    def __init__(self, message: str, *, limit: int) -> None:
        super().__init__(message)
        self.limit = limit


class DecodingError(HttpError):
    """The body is not what its Content-Encoding says."""


class EchoedError(HttpError):
    """The answer repeats a credential that was sent."""


class StatusError(HttpError):
    """An answer came, but not one that was hoped for."""

    def __init__(self, message: str, *, status: int, retry_after: str = "") -> None:
        """`retry_after` is the header as sent: seconds or an HTTP date."""
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
