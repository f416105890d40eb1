"""Everything that the README shows is run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from quantjax.cli import app
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_python_blocks_run_in_order(tmp_path: Path):
    code = "\n".join(blocks("python")).replace('storage="recording"', f"storage={str(tmp_path)!r}")
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert "100.0125" in result.stdout
    assert "round_trip_cost_bps_1000" in result.stdout
    assert "0.639" in result.stdout
    assert "True" in result.stdout


def test_make_targets_exist():
    for target in set(re.findall(r"`?make ([a-z]+)`?", README)) - {"sure"}:
        dry = subprocess.run(["make", "-n", target], capture_output=True, text=True, cwd=ROOT)
        assert dry.returncode == 0, dry.stderr


def test_commands_run(tmp_path: Path):
    """Every `quantjax` line, against a mock exchange as the README starts it (on a free port, for a shorter time)."""
    from feeds.mock import MockExchange, serve_in_thread

    lines = [
        shlex.split(line, comments=True)[1:]
        for block in blocks("console")
        for line in block.replace("\\\n", "").splitlines()
        if line.startswith("$ quantjax ")
    ]
    commands = [line[1:] for line in lines]
    assert [command[0] for command in commands] == ["price", "mock", "record", "replay", "analyze", "flow", "bars"]
    pricing = CliRunner().invoke(app, commands.pop(0))
    assert pricing.exit_code == 0, pricing.output
    assert "5.11904" in pricing.output
    with serve_in_thread(MockExchange(seed=1), speed=10.0) as server:
        for command in commands[1:]:
            arguments = [
                argument.replace("http://127.0.0.1:8765", server.rest_url).replace(
                    "ws://127.0.0.1:8765", server.stream_url
                )
                for argument in command
            ]
            arguments = [str(tmp_path / "recording") if a == "recording" else a for a in arguments]
            if "--duration" in arguments:
                arguments[arguments.index("--duration") + 1] = "2"
            if "--report" in arguments:
                arguments += ["--out", str(tmp_path / "out")]
            arguments = [str(tmp_path / "flow") if a == "out/flow" else a for a in arguments]
            result = CliRunner().invoke(app, arguments)
            assert result.exit_code == 0, (arguments, result.output, result.exception)
    assert (tmp_path / "out/report.html").is_file()
    assert (tmp_path / "flow/flow.html").is_file()
    # `mock` runs until it is stopped; here it closes after ten simulated seconds, which pass at its speed.
    words = [word for word in commands[0] if word not in ("--port", "8765")] + ["--port", "0", "--duration", "10"]
    script = "from quantjax.cli import main; main()"
    process = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=60)
    assert process.returncode == 0, process.stderr
    assert "/api/v3/depth" in process.stderr


def test_links_to_files_lead_somewhere():
    for link in re.findall(r"\]\((?!http|#)([^)]+)\)", README):
        assert (ROOT / link).exists(), link
