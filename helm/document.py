"""`python helm/document.py`: the chart's README and schema from what values.yaml says of its keys.

A key's comment begins with `# --`; a line `# @schema {…}` adds to the JSON schema that its default
implies. An empty map or list as default takes anything, a map with keys takes no others.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "gyrus"
BEGIN, END = "<!-- values -->\n", "<!-- end of values -->\n"


@dataclass(frozen=True)
class Value:
    """One key of values.yaml, with what it holds below it."""

    path: str
    about: str
    schema: dict[str, Any]
    default: Any
    below: "list[Value]"


def read(chart: Path) -> list[Value]:
    """The values of a chart, with their comments.

    Raises:
        ValueError: a key has no comment.
    """
    text = (chart / "values.yaml").read_text()
    return list(_values(yaml.compose(text), text.splitlines(), ""))


def schema(values: list[Value]) -> dict[str, Any]:
    """The JSON schema that explains each key and refuses unknown ones."""
    keys = {one.path.rpartition(".")[2]: _schema(one) for one in values}
    # Helm itself puts `global` there.
    keys["global"] = {"type": "object", "description": "Helm's own; not used."}
    top = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of Gyrus"}
    return {**top, "type": "object", "additionalProperties": False, "properties": keys}


def table(values: list[Value]) -> str:
    """The table of the README, a row a key that can be set."""
    rows = [
        f"| `{one.path}` | {one.about} | `{json.dumps(one.default)}` |" for one in _leaves(values)
    ]
    return "\n".join(["| key | what | default |", "|---|---|---|", *rows]) + "\n"


def readme(text: str, values: list[Value]) -> str:
    """The README with its table made anew."""
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}{table(values)}{END}{rest.split(END)[1]}"


def _values(node: yaml.Node, lines: list[str], prefix: str) -> Iterator[Value]:
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML's own promise
    for key, held in node.value:
        path = prefix + key.value
        about, given = _comment(lines, key.start_mark.line, path)
        is_closed = isinstance(held, yaml.MappingNode) and held.value
        is_closed = is_closed and not given.get("additionalProperties")
        below = list(_values(held, lines, f"{path}.")) if is_closed else []
        default = yaml.SafeLoader("").construct_document(held)
        yield Value(path, about, given, default, below)


def _comment(lines: list[str], at: int, path: str) -> tuple[str, dict[str, Any]]:
    block: list[str] = []
    while at > 0 and lines[at - 1].strip().startswith("#"):
        at -= 1
        block.insert(0, lines[at].strip().lstrip("# "))
    given = next((one for one in block if one.startswith("@schema ")), "@schema {}")
    words = " ".join(one for one in block if not one.startswith("@schema "))
    if not words.startswith("-- "):
        raise ValueError(f"{path} has no comment in values.yaml.")
    return words.removeprefix("-- "), json.loads(given.removeprefix("@schema "))


def _schema(value: Value) -> dict[str, Any]:
    kinds = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    found: dict[str, Any] = {
        "type": kinds.get(type(value.default), "string"),
        "description": re.sub("`", "", value.about),
    }
    if value.below:
        keys = {one.path.rpartition(".")[2]: _schema(one) for one in value.below}
        found |= {"additionalProperties": False, "properties": keys}
    return found | value.schema


def _leaves(values: list[Value]) -> Iterator[Value]:
    for one in values:
        if one.below:
            yield from _leaves(one.below)
        else:
            yield one


def main() -> None:
    """Write both files."""
    values = read(CHART)
    made = json.dumps(schema(values), indent=2, ensure_ascii=False) + "\n"
    (CHART / "values.schema.json").write_text(made)
    page = CHART / "README.md"
    page.write_text(readme(page.read_text(), values))


if __name__ == "__main__":
    main()
