"""A folder that an earlier version wrote opens, migrates, answers the same, and goes on."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from contract_tests.conftest import ENVIRONMENT
from contract_tests.harness.server_process import ServerProcess
from contract_tests.harness.traffic import batch
from contract_tests.upgrades.folder import EVENTS, HERE, QUESTIONS, differences, unpack

FOLDERS = sorted(HERE.glob("*.tar.gz"))


def test_there_is_a_folder_to_open() -> None:
    """The cases below are made from the files beside this one."""
    assert FOLDERS


@pytest.mark.parametrize("packed", FOLDERS, ids=lambda packed: packed.name)
def test_an_earlier_folder_answers_the_same(packed: Path, tmp_path: Path) -> None:
    """Every question as before; a re-sent event counts once; it survives a kill and a new start."""
    key, before = unpack(packed, tmp_path)
    assert before.keys() <= set(QUESTIONS)
    with ServerProcess(tmp_path, ENVIRONMENT) as server:
        client = server.client()
        client.key = key
        for _ in range(2):
            for question, answer in before.items():
                now = json.loads(json.dumps(client.ok(question), default=str))
                assert differences(answer, now) == [], question
            client.close()
            server.restart()
        sent = batch(Random(1), "upgrade", EVENTS) + batch(Random(2), "later", 20)
        result = client.ingest(sent)
        assert (result["accepted"], result["duplicates"]) == (20, EVENTS)


def test_a_difference_is_found() -> None:
    """The comparison can fail: a changed value, a field that is gone, a row more."""
    before = {"data": [{"a": 1, "last_used_at": 5}]}
    assert differences(before, {"data": [{"a": 1, "b": 2, "last_used_at": 6}], "new": 0}) == []
    assert differences(before, {"data": [{"a": 2}]}) == [".data[0].a: 1 became 2"]
    assert differences(before, {"data": [{}]}) == [".data[0].a is gone"]
    assert len(differences(before, {"data": []})) == 1
