from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from tests.apps.cli.library import TOOLHIVE, fill
from tests.apps.cli.running import Cli, check_golden
from thv.apps.cli import names
from thv.apps.cli.main import cli as tree
from thv.apps.cli.options import Common, Surroundings
from thv.apps.cli.settings import KEYS
from thv.apps.kit.home import Home, LoopLock

# config ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml", "name"])
def test_settings_are_printed_in_every_format(cli: Cli, output: str) -> None:
    check_golden(f"config_view_{output}", _short(cli, cli.ok(f"config view -o {output}").out))


def _short(cli: Cli, text: str) -> str:
    """Columns without their widths, one of which is that of the folder of this run."""
    lines = cli.settled(text).splitlines()
    return "".join(
        "  ".join(part.strip() for part in line.split("  ") if part.strip()) + "\n"
        for line in lines
    )


def test_a_setting_is_set_wins_over_the_default_and_goes_again(cli: Cli) -> None:
    assert cli.ok("config set namespace team-a").out == "namespace set\n"
    assert _setting(cli, "namespace") == ("team-a", "config file")
    cli.environ["THV_NAMESPACE"] = "team-b"
    assert _setting(cli, "namespace") == ("team-b", "THV_NAMESPACE")
    assert _setting(cli, "namespace", "-n", "team-c") == ("team-c", "--namespace")
    assert "THV_NAMESPACE is set as well" in cli.ok("config set namespace team-d").err
    del cli.environ["THV_NAMESPACE"]
    cli.ok("config unset namespace")
    assert _setting(cli, "namespace") == ("default", "default")
    assert cli("config unset namespace").code == 5


def _setting(cli: Cli, name: str, *flags: str) -> tuple[str, str]:
    items = cli.ok("config", "view", "-o", "json", *flags).json["items"]
    return next((each["value"], each["from"]) for each in items if each["name"] == name)


def test_the_file_is_where_path_says(cli: Cli) -> None:
    path = Path(cli.ok("config path").out.strip())
    assert not path.exists()
    cli.ok("config set color never")
    assert path.read_text() == "color: never\n"


@pytest.mark.parametrize(
    "line", ["config set colr never", "config set color pink", "config set color ''"]
)
def test_a_wrong_setting_is_refused_and_nothing_written(cli: Cli, line: str) -> None:
    assert cli(line).code == 2
    assert not Path(cli.ok("config path").out.strip()).exists()


def test_every_setting_is_shown() -> None:
    assert len({key.name for key in KEYS}) == len(KEYS)


# completion ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_every_shell_gets_a_script(cli: Cli, shell: str) -> None:
    script = cli.ok(f"completion {shell}").out
    assert "_THV_COMPLETE" in script
    assert "thv" in script


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("thv registry ex", ["export"]),
        ("thv show wea", ["weather"]),
        ("thv show database", ["io.github.acme/database-browser"]),
        ("thv search --registry ", ["official", "tools"]),
        ("thv get mcpr", ["mcpregistry"]),
        ("thv config set na", ["namespace"]),
        ("thv install io.github.acme/d", ["io.github.acme/database-browser"]),
        ("thv uninstall ", ["browser"]),
    ],
)
def test_names_are_offered(cli: Cli, typed: str, offered: list[str]) -> None:
    fill(cli).ok("install database-browser browser")
    assert _offered(cli, typed) == offered


def test_of_a_large_registry_the_names_are_looked_up(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "SERVERS", 2)
    fill(cli).ok("registry list")
    assert _offered(cli, "thv show wea") == ["weather"]
    assert _offered(cli, "thv show database") == ["io.github.acme/database-browser"]
    assert len(_offered(cli, "thv show ")) == 6


def test_completion_never_fails(cli: Cli) -> None:
    cli.file("data", "no folder")
    assert _offered(cli, "thv show wea") == []


def _offered(cli: Cli, typed: str) -> list[str]:
    around = Surroundings(
        environ={"THV_DATA": str(cli.data)}, home=cli.home, clock=cli.clock, stdin=io.BytesIO()
    )
    _, *args, incomplete = typed.split(" ")
    asked = ShellComplete(tree, {"obj": Common(around)}, "thv", "_THV_COMPLETE")
    return [item.value for item in asked.get_completions(args, incomplete)]


# backup ----------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(cli: Cli) -> Cli:
    path = cli.file("tools.json", json.dumps(TOOLHIVE))
    cli.ok("registry", "add", "tools", "--file", str(path))
    cli.ok("secret create git-read --from-stdin", stdin="canary")
    return cli


@pytest.mark.requirement("CLI-02")
def test_a_backup_brings_back_resources_secrets_and_content(filled: Cli) -> None:
    before = filled.ok("registry export tools").out
    ran = filled.ok(f"backup --output {filled.home}/b.tar.gz")
    assert "saved 1 registry, 1 secret" in ran.err
    assert (filled.home / "b.tar.gz").stat().st_mode & 0o777 == 0o600
    (filled.home / "tools.json").unlink()
    filled.environ["THV_DATA"] = str(filled.home / "elsewhere")
    filled.ok(f"restore {filled.home}/b.tar.gz")
    assert filled.ok("registry export tools").out == before
    assert filled.ok("show weather -o json").json["name"] == "weather"
    (secret,) = (filled.home / "elsewhere" / "secrets").iterdir()
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == ('{"token":"Y2FuYXJ5"}', 0o600)


@pytest.mark.requirement("CLI-02")
def test_a_restore_asks_and_moves_aside_what_is_there(filled: Cli) -> None:
    filled.ok(f"backup --output {filled.home}/b.tar.gz")
    filled.ok("secret create later --from-stdin", stdin="x")
    ran = filled(f"restore {filled.home}/b.tar.gz")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert filled.ok("get secret later").code == 0
    filled.ok(f"restore {filled.home}/b.tar.gz --yes")
    assert filled("get secret later").code == 5
    (aside,) = filled.data.glob("replaced-*")
    filled.environ["THV_DATA"] = str(aside)
    assert filled.ok("get secret later").code == 0


@pytest.mark.requirement("CLI-02")
def test_a_synchronization_goes_on_after_a_restore(filled: Cli) -> None:
    filled.ok(f"backup --output {filled.home}/b.tar.gz")
    filled.ok(f"restore {filled.home}/b.tar.gz --yes")
    filled.ok("registry sync tools")
    assert filled.ok("search -o name").out.split() == ["notes", "weather"]


def test_nothing_is_restored_while_a_process_works_on_the_folder(filled: Cli) -> None:
    filled.ok(f"backup --output {filled.home}/b.tar.gz")
    lock = LoopLock(Home(filled.data))
    assert lock.acquire("thv serve (pid 1)")
    try:
        ran = filled(f"restore {filled.home}/b.tar.gz --yes")
    finally:
        lock.release()
    assert ran.code == 6
    assert "is in use by thv serve (pid 1)" in ran.err
    assert not list(filled.data.glob("replaced-*"))


def test_what_is_no_backup_or_a_damaged_one_changes_nothing(filled: Cli) -> None:
    whole = filled.home / "b.tar.gz"
    filled.ok(f"backup --output {whole}")
    cut = filled.file("cut.tar.gz", whole.read_bytes()[:-200])
    evil = filled.home / "evil.tar.gz"
    with tarfile.open(evil, "w:gz") as tar:
        tar.add(__file__, "../../escaped")
    for path in (cut, evil, filled.file("text.tar.gz", "no archive")):
        ran = filled(f"restore {path} --yes")
        assert ran.code == 1, ran.err
        assert "is no backup of thv, or a damaged one" in ran.err
    assert not list(filled.data.glob("replaced-*"))
    assert filled.ok("get secret git-read").code == 0
    assert filled("restore nowhere.tar.gz").code == 5


def test_a_backup_asks_before_it_replaces_a_file_and_needs_something_to_save(cli: Cli) -> None:
    assert cli("backup").code == 5
    cli.ok("secret create a --from-stdin", stdin="x")
    path = cli.file("b.tar.gz", "precious")
    assert cli(f"backup --output {path}").code == 2
    assert path.read_text() == "precious"
    cli.ok(f"backup --output {path} --yes")
