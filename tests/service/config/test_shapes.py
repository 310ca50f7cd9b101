"""The JSON shape of each environment variable, derived from the settings' annotations."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel

from service.config.settings import Settings
from service.config.shapes import shapes_of
from service.config.sources import Shapes, Steps
from service.config.types import Both, WithCommas

Several = Annotated[tuple[str, ...], WithCommas]


class Inner(BaseModel):
    tags: tuple[str, ...] = ()


class Model(BaseModel):
    inner: Inner
    keys: Several
    named: Mapping[str, Inner]
    lists: Mapping[str, Several]
    title: Annotated[Mapping[str, str], Both(("zh", "en"))]
    plain: str


def test_annotations_say_what_a_variable_holds() -> None:
    kinds: dict[Steps, type] = {
        ("inner",): dict,
        ("inner", "tags"): list,
        ("keys",): tuple,
        ("named",): dict,
        ("named", "*"): dict,
        ("named", "*", "tags"): list,
        ("lists",): dict,
        ("lists", "*"): tuple,
        ("title",): dict,
    }
    names = frozenset(("inner", "tags", "keys", "named", "lists", "title", "plain"))
    assert shapes_of(Model) == Shapes(kinds, {"title": ("zh", "en")}, names)


def test_every_container_in_the_schema_of_the_settings_has_its_place() -> None:
    """Pydantic's own schema also knows the containers that `shapes_of` does not: list, set, optional ones."""
    schema = Settings.model_json_schema()

    def containers(node: dict[str, Any], place: Steps) -> Iterator[tuple[Steps, type]]:
        node = schema["$defs"].get(node.get("$ref", "").rpartition("/")[2], node)
        if node.get("type") in kinds:
            yield place, kinds[node["type"]]
        for name, below in node.get("properties", {}).items():
            yield from containers(below, (*place, name))
        if isinstance(below := node.get("additionalProperties"), dict):
            yield from containers(below, (*place, "*"))
        for choice in (*node.get("anyOf", ()), *node.get("oneOf", ())):
            yield from containers(choice, place)

    kinds = {"array": list, "object": dict}
    derived = {place: list if kind is tuple else kind for place, kind in shapes_of(Settings).kinds.items()}
    assert {(): dict, **derived} == dict(containers(schema, ()))
