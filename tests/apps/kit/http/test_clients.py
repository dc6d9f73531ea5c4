"""Settings of what clients may have."""

from __future__ import annotations

import pytest

from thv.apps.kit.http.clients import ClientSettings, read_client_settings
from thv.apps.kit.http.rates import Rate, Rates
from thv.apps.kit.http.traffic import Limits
from thv.domain.errors import ThvError


def test_without_an_environment_the_defaults_hold() -> None:
    found = read_client_settings({})
    assert found == ClientSettings()
    assert found.limits == Limits()
    assert found.rates == Rates()


def test_every_limit_is_a_setting() -> None:
    found = read_client_settings(
        {
            "THV_READ_RATE": "5/50",
            "THV_SEARCH_RATE": "off",
            "THV_FAILURE_RATE": "0.5/3",
            "THV_LIMIT_LOOPBACK": "true",
            "THV_CONNECTIONS": "100",
            "THV_AT_ONCE": "10",
            "THV_PATIENCE": "500ms",
            "THV_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1/32",
        }
    )
    assert found.rates == Rates(
        reads=Rate(5, 50), searches=None, failures=Rate(0.5, 3), loopback=True
    )
    assert found.limits == Limits(connections=100, at_once=10, patience=0.5)
    assert found.trusted_proxies == ("10.0.0.0/8", "192.0.2.1/32")


@pytest.mark.parametrize(
    "text", ["5", "0/5", "5/0", "a/b", "inf/5", "nan/5", "-1/5", "5/5/5", "on"]
)
def test_a_rate_that_cannot_be_meant_is_refused_by_name(text: str) -> None:
    with pytest.raises(ThvError, match="THV_READ_RATE"):
        read_client_settings({"THV_READ_RATE": text})
