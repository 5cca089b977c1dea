"""The fields that a space is made of, as JSON values in a saved model."""

import dataclasses
import json
from typing import Any

from jaxnas import catalog
from jaxnas.training.networks import TrainableSpace

TYPE = "type"


def space_fields(space: TrainableSpace) -> dict | None:
    """Returns the fields from which a space can be rebuilt, as JSON values; None if the rebuilt space would differ.

    Fields with their default values are omitted. Decisions and spaces within a space are dicts with a `"type"`.
    """
    try:
        fields = json.loads(json.dumps(_encoded(space)))
        return fields if space_of_fields(fields) == space else None
    except (KeyError, TypeError, ValueError):
        return None


def _encoded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_encoded(each) for each in value]
    if type(value) in catalog.space_types().values():
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        defaults = {field.name: field.default for field in dataclasses.fields(value)}
        own = {name: _encoded(each) for name, each in fields.items() if each != defaults[name]}
        return {TYPE: type(value).__name__, **own}
    return getattr(value, "name", value)  # an operation


def space_of_fields(value: Any) -> Any:
    """Returns the space of the fields that `space_fields` returned, or a value in it."""
    if isinstance(value, list):
        return tuple(space_of_fields(each) for each in value)
    if isinstance(value, dict):
        arguments = {name: space_of_fields(each) for name, each in value.items()}
        return catalog.space_types()[str(arguments.pop(TYPE))](**arguments)
    return value
