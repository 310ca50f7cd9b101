"""Derives from the settings model which settings are secrets, and how a variable's text is parsed for a container.

Supports the containers that the settings use: models, unions of models, tuples, and mappings of these.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from service.config.secret_files import file_setting
from service.config.sources import Shapes
from service.config.types import Both, WithCommas
from service.config.yaml_file import Steps


def shapes_of(model: type[BaseModel]) -> Shapes:
    """Return the kind of each container in *model* by its path, and each shorthand by its key."""
    found = list(_containers_in(model, ()))
    secrets = dict(_secrets_in(model, ()))
    return Shapes(
        kinds={place: tuple if WithCommas in marks else kind for place, kind, marks in found},
        shorthands={
            place[-1]: mark.parts for place, _, marks in found for mark in marks if isinstance(mark, Both)
        },
        keys=frozenset(_names_in(model)) | {file_setting(place)[-1] for place in secrets},
        secrets=secrets,
    )


def _names_in(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
        for inner in _models_in(field.annotation):
            yield from _names_in(inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    return (one for one in _types_in(annotation) if issubclass(one, BaseModel))


def _types_in(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for inner in get_args(annotation):
        yield from _types_in(inner)


_Containers = Iterator[tuple[Steps, type, Sequence[object]]]
"""Path, list or dict, and the metadata of its annotation."""


def _containers_in(model: type[BaseModel], place: Steps) -> _Containers:
    for name, field in model.model_fields.items():
        yield from _containers_at((*place, name), field.annotation, field.metadata)


def _containers_at(place: Steps, annotation: Any, marks: Sequence[object]) -> _Containers:
    if get_origin(annotation) is Annotated:
        annotation, *marks = get_args(annotation)
    if get_origin(annotation) is tuple:
        yield place, list, marks
    elif get_origin(annotation) is Mapping:
        yield place, dict, marks
        yield from _containers_at((*place, "*"), get_args(annotation)[1], ())
    elif models := list(_models_in(annotation)):  # one, or several of which a tag chooses
        yield place, dict, marks
        for model in models:
            yield from _containers_in(model, place)


def _secrets_in(model: type[BaseModel], place: Steps) -> Iterator[tuple[Steps, bool]]:
    """Yield the path of each setting that is text and not shown, and whether it is a list."""
    for name, field in model.model_fields.items():
        steps = (*place, field.alias or name)
        if models := list(_models_in(field.annotation)):
            several = get_origin(field.annotation) in (tuple, Mapping)
            for inner in models:
                yield from _secrets_in(inner, (*steps, "*") if several else steps)
        elif _is_secret(field):
            yield steps, get_origin(field.annotation) is tuple


def _is_secret(field: FieldInfo) -> bool:
    kinds = set(_types_in(field.annotation))
    return SecretStr in kinds or (str in kinds and not field.repr)
