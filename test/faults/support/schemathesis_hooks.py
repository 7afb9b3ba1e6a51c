"""What the description of the HTTP API cannot say in JSON Schema, for schemathesis: see schemathesis.toml."""

import unicodedata

import schemathesis


def is_line(character):
    category = unicodedata.category(character)
    return not category.startswith("C") and category not in ("Zl", "Zp")


def line(text):
    return "".join(filter(is_line, text))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Right bodies name fields that are there, and times once; their lines have no characters of categories without a shape."""
    body = case.body
    if not isinstance(body, dict) or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    operation = case.operation.definition.raw.get("operationId")
    if operation not in ("createSecret", "changeSecret"):
        return
    if operation == "changeSecret" and "fields" in body:
        # Of the type of the secret that is there.
        body["fields"] = {"value": "changed"}
    fields = body.get("fields") or {}
    for key in ("publicFields", "maskFields"):
        if key in body:
            body[key] = list(fields)[:1] if key == "maskFields" else []
    hosts = (body.get("allow") or {}).get("hosts")
    if hosts:
        # Names of hosts may have letters of any script.
        body["allow"]["hosts"] = [f"h{index}.example.com" for index in range(len(hosts))]
    if "expiresAt" in fields:
        body.pop("expiresAt", None)
    if isinstance(body.get("description"), str):
        body["description"] = line(body["description"])
    if "tags" in body:
        body["tags"] = [tag for tag in map(line, body["tags"]) if tag]


@schemathesis.check
def only_a_taken_name_is_refused(ctx, response, case):
    """A body can fit its schema and be refused all the same for one reason."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    code = response.json()["code"]
    assert code == "SECRET_EXISTS", f"a right request is refused as {code}: {response.json()['detail']}"
