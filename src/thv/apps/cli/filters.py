"""The filters of servers on a command line: the same words wherever servers are listed.

In the flow: options of `thv search` and `thv catalog`; each command says what it makes of them.
"""

from __future__ import annotations

import click

from thv.apps.cli.options import option

TAGS = option("--tag", "tags", multiple=True, metavar="T", help="All of these tags.")
TOOLS = option("--tool", "tools", multiple=True, metavar="X", help="All of these tools.")
TIERS = option("--tier", "tiers", multiple=True, metavar="TIER", help="One of these tiers.")
TRANSPORTS = option(
    "--transport",
    "transports",
    multiple=True,
    type=click.Choice(["stdio", "sse", "streamable-http"]),
    help="One of these transports.",
)
TRUSTS = option(
    "--trust",
    "trusts",
    multiple=True,
    type=click.Choice(["raw", "tested", "trusted"]),
    help="Only registries of this trust level.",
)
SELECTOR = option(
    "-l", "--selector", default="", metavar="SEL", help="Selector over labels of servers."
)
LIMIT = option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many to show."
)
