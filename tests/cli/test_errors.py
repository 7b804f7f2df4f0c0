"""What can be expected to go wrong at a terminal is a sentence that says what, and never a stack trace."""

import pytest
import typer.main

from plaudit import __version__
from plaudit.cli.main import app
from plaudit.storage.embedded import running_url
from tests.support.existing import existing


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["diff", "{tmp}/none.yaml"], "cannot use {tmp}/none.yaml: No such file or directory"),
        (["apply", "{tmp}"], "cannot use {tmp}: Is a directory"),
        (["simulate", "{tmp}/none.yaml"], "cannot use {tmp}/none.yaml: No such file or directory"),
        (["export", "--output", "{tmp}/none/x.yaml"], "cannot use {tmp}/none/x.yaml: No such file or directory"),
        (["export", "--org", "nobody"], "No organisation has the id, slug or name 'nobody'; plaudit org list shows"),
        (["token", "ann", "--org", "x' OR 1"], "No organisation has the id, slug or name"),
        (["export", "--only", "gold"], "Unknown kind 'gold': it must be one of campaigns, "),
        (["export", "--database-url", "nonsense"], "the database URL cannot be read: "),
        (["export", "--database-url", "postgresql://127.0.0.1:1/x"], "cannot reach the database: "),
        (["export", "--database-url", "postgresql:///x?host={tmp}"], "cannot reach the database: it has no socket"),
        (["export", "--database-url", "{other}/nothing?{query}"], 'cannot open the database: database "nothing" does'),
        (["export", "--database-url", "{other}/postgres?{query}"], "does not have this version's schema"),
        (["verify", "--database-url", "{other}/postgres?{query}"], "run plaudit migrate"),
        (["org", "list", "--database-url", "{other}/postgres?{query}"], "run plaudit migrate"),
        (["export", "--url", "http://127.0.0.1:1", "--key", "x"], "no server responds at http://127.0.0.1:1 ("),
        (["export", "--url", "{url}", "--key", "x"], "Unknown API secret"),
        (["export", "--url", "{url}/widget", "--key", "x"], "No such endpoint"),
        (["export", "--url", "ftp://x", "--key", "x"], "--url must be an address such as https://"),
        (["export", "--url", "{url}"], "--url needs an API secret: pass --key, or set PLAUDIT_KEY"),
        (["export", "--key", "x"], "--key is for a running server: pass its address with --url"),
        (["simulate"], "Pass either FILE or --campaign"),
        (["play", "--data", "{tmp}"], "{tmp}/credentials.json not found: run plaudit serve once"),
    ],
)
def test_what_is_wrong_is_said(words, sentence, plaudit, server_process, tmp_path):
    here = existing(running_url(server_process.folder / "postgres"))
    address, _, query = here.rpartition("/plaudit?")
    names = {"tmp": tmp_path, "url": server_process.url, "other": address, "query": query}
    words = [word.format(**names) for word in words]
    if not {"--database-url", "--data"} & set(words):
        words += ["--data", str(server_process.folder)]
    result = plaudit(*words)
    assert result.status == 1
    assert result.err.startswith("plaudit: ")
    assert sentence.format(**names) in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("words", [["import", "none.csv"], ["import", "/"], ["restore", "none"], ["backup", "/"]])
def test_a_file_that_is_not_there_or_is_a_folder_is_said(words, plaudit):
    result = plaudit(*words)
    assert result.status == 2
    assert "does not exist" in result.err or "is a directory" in result.err


def test_every_reason_stands_next_to_its_field(plaudit, server_process, tmp_path):
    file = tmp_path / "programme.yaml"
    file.write_text("campaigns: {c: {name: X, bogus: 1}}\nproducts: {p: {name: P}}\n")
    result = plaudit("apply", file, "--data", server_process.folder)
    assert result.status == 1
    assert result.err.splitlines() == [
        "plaudit: Missing required fields: products.p.sku, products.p.type",
        "  campaigns.c.bogus is not a known field",
        "  products.p.sku is missing",
        "  products.p.type is missing",
    ]


def test_it_says_its_version(plaudit):
    assert plaudit("--version").out == f"plaudit {__version__}\n"


def test_it_completes_commands_in_a_shell(plaudit, monkeypatch):
    monkeypatch.setenv("COMP_WORDS", "plaudit ex")
    monkeypatch.setenv("COMP_CWORD", "1")
    monkeypatch.setenv("_PLAUDIT_COMPLETE", "complete_bash")
    assert plaudit().out.split() == ["export"]


def test_every_argument_and_option_has_its_help():
    def walk(command, name):
        if hasattr(command, "commands"):
            for word, child in command.commands.items():
                walk(child, f"{name} {word}")
            return
        assert command.help, name
        for param in command.params:
            assert param.hidden or param.help, f"{name} {param.name}"

    walk(typer.main.get_command(app), "plaudit")
