"""What the description of the HTTP API cannot say in JSON Schema, for schemathesis: see schemathesis.toml."""

import os
import re
import unicodedata

import schemathesis

# What the calls of a secret can be made with: the ids that the server has given, without those that were deleted.
present = {os.environ["SECRET_ID"], os.environ["CHANGED_ID"]}
HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(:[1-9][0-9]{0,3})?")


def is_line(character):
    category = unicodedata.category(character)
    return not category.startswith("C") and category not in ("Zl", "Zp")


def line(text):
    return "".join(filter(is_line, text))


def is_right(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


def operation_of(case):
    return case.operation.definition.raw.get("operationId")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Right bodies name fields that are there, and times once; their lines have no characters of categories without a shape."""
    body = case.body
    operation = operation_of(case)
    if not is_right(case) or not isinstance(body, dict) or operation not in ("createSecret", "changeSecret"):
        return
    if operation == "changeSecret" and "fields" in body:
        # Of the type of the secrets that are changed, which its schema cannot know.
        texts = [value for value in body["fields"].values() if isinstance(value, str) and value != ""]
        body["fields"] = {"value": texts[0] if texts else "changed"}
    fields = body.get("fields", {})
    names = list(fields) if fields or operation == "createSecret" else ["value"]
    # Only of custom secrets any field can be public, and none that is masked.
    is_custom = operation == "createSecret" and body.get("type", "custom") == "custom"
    if "maskFields" in body:
        body["maskFields"] = names[:1]
    if "publicFields" in body:
        body["publicFields"] = names[1:] if is_custom else []
    hosts = (body.get("allow") or {}).get("hosts")
    if hosts:
        # Names of hosts may have letters of any script: no pattern says which these are.
        body["allow"]["hosts"] = [
            host if HOST.fullmatch(host) else f"h{index}.example.com" for index, host in enumerate(hosts)
        ]
    if "expiresAt" in fields:
        body.pop("expiresAt", None)
    if isinstance(body.get("description"), str):
        body["description"] = line(body["description"])
    if "tags" in body:
        body["tags"] = [tag for tag in map(line, body["tags"]) if tag]


@schemathesis.hook
def after_call(context, case, response):
    """Keeps which secrets there are."""
    operation = operation_of(case)
    if operation == "createSecret" and response.status_code == 201:
        present.add(response.json()["id"])
    if operation == "deleteSecret" and response.status_code == 200:
        present.discard((case.path_parameters or {}).get("id"))


@schemathesis.check
def only_a_taken_name_is_refused(ctx, response, case):
    """A body can fit its schema and be refused all the same for one reason."""
    if not is_right(case) or response.status_code != 400:
        return
    code = response.json()["code"]
    assert code == "SECRET_EXISTS", f"a right request is refused as {code}: {response.json()['detail']}"


@schemathesis.check
def only_what_is_not_there_is_not_found(ctx, response, case):
    """The calls of a secret that is there find it, whatever else was called before."""
    if response.status_code != 404 or operation_of(case) == "restoreSecret":
        return
    code = response.json()["code"]
    missing = (case.path_parameters or {}).get("id") not in present
    # A version or a field of a secret that is there need not be.
    assert missing or code in ("VERSION_NOT_FOUND", "NOT_FOUND"), f"a secret that is there is {code}"
