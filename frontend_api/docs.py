"""The API's reference as one plain page: no script, and nothing from another host."""

from html import escape
from typing import Any

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} API</title>
<link rel="stylesheet" href="/static/css/base.css">
</head>
<body>
<main>
<h1>{title} API {version}</h1>
<p>{description}</p>
<p><a href="/">Page</a> · <a href="/v1/openapi.json">OpenAPI document</a></p>
{operations}
</main>
</body>
</html>
"""


def page(schema: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    operations = [
        _operation(method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    info = schema["info"]
    return PAGE.format(
        title=escape(info["title"]),
        version=escape(info["version"]),
        description=escape(info["description"]).replace("**", "").replace("\n\n", "</p><p>"),
        operations="\n".join(operations),
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    lines = [f"<h2><code>{method.upper()} {escape(path)}</code></h2>"]
    lines.append(f"<p>{escape(operation['description'])}</p><ul>")
    lines += [_parameter(parameter) for parameter in operation.get("parameters", [])]
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        lines.append(f"<li>body: <code>{escape(kind)}</code> {_type(media['schema'])}</li>")
    for status, answer in operation["responses"].items():
        schemas = [media.get("schema", {}) for media in answer.get("content", {}).values()]
        types = " ".join(filter(None, map(_type, schemas)))
        lines.append(f"<li>{escape(status)}: {escape(answer['description'])} {types}</li>")
    return "\n".join([*lines, "</ul>"])


def _parameter(parameter: dict[str, Any]) -> str:
    needed = "" if parameter.get("required") else ", optional"
    about = escape(parameter.get("description", ""))
    return f"<li><code>{escape(parameter['name'])}</code> ({parameter['in']}{needed}) {about}</li>"


def _type(schema: dict[str, Any]) -> str:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    fields = ", ".join(schema.get("properties", {}))
    return f"<code>{escape(name or fields)}</code>" if name or fields else ""
