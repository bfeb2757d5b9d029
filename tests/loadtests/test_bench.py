import json
from pathlib import Path

import pytest

from loadtests.bench import Figure, show, write
from loadtests.training import ratios


def test_ratios_of_training_say_how_many_times_as_fast_each_is() -> None:
    rounds = [
        {"keras": 3.0, "one": 2.0, "two": 2.5, "input": 0.1},
        {"keras": 2.0, "one": 2.0, "two": 1.0, "input": 0.2},
    ]
    assert ratios(rounds) == {
        "train.over_keras": [1.5, 1.0],
        "train.two_workers_over_one": [0.8, 2.0],
        "train.input_over_demand": [20.0, 10.0],
    }


def test_a_figure_is_the_median_of_its_rounds() -> None:
    assert Figure.of([3.0, 1.0, 1.5], 2.0) == Figure(1.5, 1.0, 3.0, 3, 2.0)


@pytest.mark.parametrize(
    ("at_least", "met"), [(False, [True, True, False]), (True, [False, True, True])]
)
def test_a_target_is_a_limit_or_something_to_reach(at_least: bool, met: list[bool]) -> None:
    assert [Figure.of([one], 1.3, at_least=at_least).met for one in (1.2, 1.3, 1.4)] == met


def test_the_table_says_which_way_a_target_goes(capsys: pytest.CaptureFixture[str]) -> None:
    show({"a": Figure.of([1.2], 1.15), "b": Figure.of([1.2], 1.15, at_least=True)})
    above, below = (line for line in capsys.readouterr().out.splitlines() if "1.200" in line)
    assert "≤ 1.15" in above and "missed" in above
    assert "≥ 1.15" in below and "met" in below


def test_figures_of_other_parts_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    write({"serve.a": Figure.of([1.0], 1.15)}, path)
    write({"train.b": Figure.of([2.0], 1.3, at_least=True)}, path)
    known = json.loads(path.read_text())
    assert known["serve.a"]["at_least"] is False
    assert known["train.b"] == {
        "median": 2.0,
        "min": 2.0,
        "max": 2.0,
        "rounds": 1,
        "target": 1.3,
        "at_least": True,
    }
