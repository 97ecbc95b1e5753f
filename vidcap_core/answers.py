"""The shape of an answer: a pydantic model, or a JSON Schema that a user wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError

from .errors import InvalidAnswerError, SettingsError

Shape: TypeAlias = type[BaseModel] | Mapping[str, Any]
"""What an answer has to fit. Of a JSON Schema the value is plain data."""

_MOST_FAULTS = 5
_DEEPEST = 100


def check_shape(shape: Any) -> None:
    """Refuse what no answer can be asked for with. Raises SettingsError."""
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        return
    if not isinstance(shape, Mapping):
        raise SettingsError("an answer is described by a pydantic model or by a JSON Schema")
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(dict(shape))
    except SchemaError as error:
        raise SettingsError(f"the schema is no JSON Schema: {error.message[:200]}") from None
    if shape.get("type") != "object" or not isinstance(shape.get("properties"), Mapping):
        raise SettingsError('the schema must describe an object: "type": "object" with "properties"')
    _check_refs(shape)


def _check_refs(schema: Mapping[str, Any]) -> None:
    from referencing import Registry, Resource
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource = Resource.from_contents(dict(schema), default_specification=DRAFT202012)
    resolver = Registry().with_resource("", resource).resolver()
    for ref in map(str, _refs(schema)):
        if not ref.startswith("#"):
            raise SettingsError("the schema refers to another document: put that into its $defs")
        try:
            resolver.lookup(ref)
        except Unresolvable:
            raise SettingsError(f"the schema refers to {ref[:100]!r}, which is not in it") from None


def _refs(schema: Any) -> Iterator[Any]:
    if isinstance(schema, Mapping):
        yield from (value for key, value in schema.items() if key == "$ref")
    if isinstance(schema, (Mapping, list, tuple)):
        for one in schema.values() if isinstance(schema, Mapping) else schema:
            yield from _refs(one)


def strict_schema(shape: Shape) -> dict[str, Any]:
    """The JSON Schema in the strict form that endpoints enforce."""
    schema = dict(shape) if isinstance(shape, Mapping) else shape.model_json_schema()
    if "properties" not in schema:  # a model that holds itself: pydantic only refers to it
        schema = {**schema["$defs"][schema["$ref"].rpartition("/")[2]], "$defs": schema["$defs"]}
    strict: dict[str, Any] = _strict(schema)
    return strict


def _strict(schema: Any) -> Any:
    """A schema as strict mode wants it: every property required, no others, no defaults.

    Without the titles that pydantic makes of names, too: they cost tokens and say nothing.
    """
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    strict = {key: _strict(value) for key, value in schema.items() if key not in ("title", "default")}
    for names in ("properties", "$defs"):
        if names in schema:  # what stands in them are names: a property may be called title
            strict[names] = {name: _strict(one) for name, one in schema[names].items()}
    if "properties" in schema:
        strict |= {"required": list(schema["properties"]), "additionalProperties": False}
    return strict


def text_field(shape: Shape) -> str | None:
    """The only field of an answer, where it has one and that is text."""
    if isinstance(shape, Mapping):
        fields = shape["properties"]
        texts = [name for name, field in fields.items() if field == {"type": "string"}]
    else:
        fields = shape.model_fields
        texts = [name for name, field in fields.items() if field.annotation is str]
    return texts[0] if len(fields) == 1 and texts else None


def parsed(shape: Shape, text: str) -> Any:
    """The value in a JSON text. Raises InvalidAnswerError, whose message can be shown the model."""
    try:
        if isinstance(shape, Mapping):
            return _fitting(shape, json.loads(text, parse_constant=_no_number))
        return shape.model_validate_json(text)
    except ValidationError as error:
        faults = _faults(error)
    except (ValueError, RecursionError) as error:
        faults = [str(error)]
    raise InvalidAnswerError(f"the answer does not fit the schema: {'; '.join(faults)}", text=text)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _fitting(schema: Mapping[str, Any], value: Any) -> Any:
    from jsonschema import Draft202012Validator

    if _is_deep(value):
        raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
    # What was asked for is the strict form: an object without any field would fit a loose one.
    errors = Draft202012Validator(strict_schema(schema)).iter_errors(value)
    faults = [f"{error.json_path}: {error.message[:200]}" for error in islice(errors, _MOST_FAULTS)]
    if faults:
        raise ValueError("; ".join(faults))
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(level)


def _faults(error: ValidationError) -> list[str]:
    # A fault's place is named by the model where it made fields up: not at any length.
    return [
        ".".join(map(str, fault["loc"]))[:100] + (": " if fault["loc"] else "") + fault["msg"]
        for fault in error.errors(include_url=False, include_input=False)[:_MOST_FAULTS]
    ]


def parsed_plain(shape: Shape, text: str) -> Any | None:
    """Plain text as the value of the answer's only field, where it has one of text; else None."""
    name, plain = text_field(shape), _plain(text)
    if name is None or plain is None:
        return None
    try:
        return parsed(shape, json.dumps({name: plain}))
    except InvalidAnswerError:
        return None


def _plain(text: str) -> str | None:
    """Text that is meant for people; None for JSON that is no string, whole or broken."""
    try:
        value = json.loads(text)
    except ValueError:
        return None if not text or text[0] in "{[`" else text
    return value if isinstance(value, str) else None
