"""Log lines: text or JSON, and never a secret, not in a traceback either."""

from __future__ import annotations

import json
import logging

import pytest

from bot.service.logs import set_up

log = logging.getLogger("tests.logs")


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_secret_is_cut_out_wherever_it_stands(capsys: pytest.CaptureFixture[str], style: str) -> None:
    set_up("info", style, ["sk-secret-1", ""])
    log.info("the key is %s", "sk-secret-1")
    try:
        raise ValueError("Authorization: Bearer sk-secret-1")
    except ValueError:
        log.exception("it failed")
    err = capsys.readouterr().err
    assert "sk-secret-1" not in err
    assert "Traceback" in err
    assert "***" in err


def test_json_is_one_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("info", "json")
    log.warning("two\nlines")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "two\nlines"
    assert json.loads(line)["level"] == "warning"


def test_libraries_speak_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("info")
    logging.getLogger("httpx").info("HTTP Request: POST https://example.org?key=1")
    log.debug("not this either")
    assert capsys.readouterr().err == ""
