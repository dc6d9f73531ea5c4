"""How far a server may connect: what entries say, and what strangers make of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thv.domain.reach import Outbound, Reach, outbound_of, reach_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
HOSTS = st.lists(st.sampled_from(("a.example", ".b.example", "*.c.example", "*", ".", "::/0", "")))
OUTBOUND = st.fixed_dictionaries(
    {},
    optional={
        "allow_host": HOSTS | JSON,
        "allow_port": st.lists(st.integers(1, 65535)) | JSON,
        "insecure_allow_all": st.booleans() | JSON,
    },
)


def asking(outbound: Any, **network: Any) -> dict[str, Any]:
    return {"network": {"outbound": outbound, **network}}


@pytest.mark.parametrize(
    ("permissions", "reach"),
    [
        (None, Reach.UNDECLARED),
        ({}, Reach.UNDECLARED),
        (["network"], Reach.UNDECLARED),
        ({"read": ["/data"]}, Reach.NONE),
        (asking({}), Reach.NONE),
        (asking({"allow_host": [], "allow_port": []}), Reach.NONE),
        (asking({"allow_host": ["api.osv.dev"], "allow_port": [443]}), Reach.NAMED_HOSTS),
        (asking({"allow_host": [".osv.dev", "*.osv.dev"]}), Reach.NAMED_HOSTS),
        (asking({"allow_host": "api.osv.dev"}), Reach.NONE),
        (asking({"allow_port": [443]}), Reach.ANY_HOST),
        (asking({"allow_port": [True, "443"]}), Reach.NONE),
        (asking({"insecure_allow_all": True}), Reach.ANY_HOST),
        (asking({"insecure_allow_all": True, "allow_host": ["x"]}), Reach.ANY_HOST),
        (asking({"insecure_allow_all": False, "allow_host": ["x"]}), Reach.NAMED_HOSTS),
        (asking({"insecure_allow_all": "true"}), Reach.NONE),
        (asking({"allow_host": ["api.osv.dev", "*"]}), Reach.ANY_HOST),
        (asking({"allow_host": ["0.0.0.0/0"]}), Reach.ANY_HOST),
        (asking({}, mode="host"), Reach.ANY_HOST),
        (asking({}, mode="bridge"), Reach.NONE),
    ],
)
def test_what_an_entry_declares(permissions: Any, reach: Reach) -> None:
    assert reach_of(permissions, is_remote=False) is reach


@given(JSON)
def test_of_what_runs_elsewhere_nothing_is_known(permissions: Any) -> None:
    assert reach_of(permissions, is_remote=True) is Reach.REMOTE


@given(JSON | st.builds(asking, OUTBOUND))
def test_whatever_is_written_is_read(permissions: Any) -> None:
    reach = reach_of(permissions, is_remote=False)
    assert (reach is Reach.UNDECLARED) is not (isinstance(permissions, dict) and permissions)
    if reach is not Reach.UNDECLARED:
        assert reach is outbound_of(permissions).reach


@given(OUTBOUND)
def test_who_asks_for_everything_is_never_among_those_who_reach_little(outbound: Any) -> None:
    for wider in ({"insecure_allow_all": True}, {"allow_host": ["a.example", "*"]}):
        assert reach_of(asking({**outbound, **wider}), is_remote=False) is Reach.ANY_HOST


@given(OUTBOUND)
def test_only_who_names_every_host_is_among_those_who_name_them(outbound: Any) -> None:
    asked = outbound_of(asking(outbound))
    if asked.reach is Reach.NAMED_HOSTS:
        assert asked.hosts
        assert not {"*", ".", "::/0"} & set(asked.hosts)
        assert outbound.get("insecure_allow_all") is not True
    if asked.reach is Reach.NONE:
        assert asked == Outbound()
