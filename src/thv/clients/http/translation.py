"""The HTTP library's exceptions in our words.

In the flow: around every wait for the other side. What the library says is passed on only where it can hold no
header and no query.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpcore2

from thv.clients.http.errors import (
    BrokenError,
    ConnectError,
    HttpError,
    ProxyFailedError,
    TimedOutError,
    TlsError,
    TooLargeError,
)
from thv.clients.http.url import Url

_PARSER_BOUND = 100 * 1024


@contextmanager
def translated(url: Url) -> Iterator[None]:
    """The library's exceptions as ours."""
    try:
        yield
    except httpcore2.TimeoutException as e:
        raise TimedOutError(f"{url} did not answer in time") from e
    except httpcore2.ConnectError as e:
        raise _connect_error(url, e) from e
    except httpcore2.ProxyError as e:
        raise ProxyFailedError(f"the outbound proxy does not lead to {url}: {e}") from e
    except httpcore2.RemoteProtocolError as e:
        if "too long" in str(e):  # the parser's own bound, for what is no header yet
            raise headers_too_large(url, _PARSER_BOUND) from e
        raise BrokenError(f"{url} ended its answer early, or does not speak HTTP") from e
    except httpcore2.NetworkError as e:
        raise BrokenError(f"the connection to {url} broke") from e
    except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol):
        # Its text may quote a header value.
        raise BrokenError(f"the request to {url} could not be written") from None


def _connect_error(url: Url, error: BaseException) -> HttpError:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TlsError(f"the certificate of {url.host} is not valid: {cause.verify_message}")
        if isinstance(cause, ssl.SSLError):
            reason = (cause.reason or "handshake failed").lower().replace("_", " ")
            return TlsError(f"no TLS with {url.host}: {reason}")
        if isinstance(cause, OSError) and cause.errno:
            reason = os.strerror(cause.errno).lower()
            return ConnectError(f"no connection to {url.host} port {url.port}: {reason}")
    return ConnectError(f"no connection to {url.host} port {url.port}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def headers_too_large(url: Url, limit: int) -> TooLargeError:
    """More bytes of headers than the limit."""
    return TooLargeError(f"{url} answers with more than {limit:,} bytes of headers", limit=limit)
