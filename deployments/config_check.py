"""Checks a serve config before the server starts. Serve ignores unknown keys anywhere in the file:
a misspelt `max_ongoing_requets` would silently leave the default in force."""

import types
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from ray.serve.schema import ServeDeploySchema

from app.api.model_names import model_alias_faults
from app.auth.api_keys import KeyRing, refuse_open_doors
from app.config import ServeArgs, load_keys, serves_through_haproxy
from app.engine.checkpoint.spec import PACKAGED
from app.engine.stages.card import check_model as check_model_files
from app.engine.stages.card import model_card
from app.errors import CheckpointError, ConfigError
from app.model_card import ModelCard
from app.voices.catalogue import voice_alias_faults

DEPLOYMENTS = ("Ingress", "Vocoder", "T3", "Colocated", "Enroller", "Hearing")
IMPORT_PATH = "deployments.app:build"
MERGE = "tag:yaml.org,2002:merge"


def check_config(path: Path) -> dict[str, Any]:
    """The content of the file. Raises a ConfigError that lists every fault with file and key."""
    try:
        content = yaml.load(path.read_text(), Loader=_UniqueKeys)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping at the top")
    faults = [*unknown_keys(ServeDeploySchema, content, ""), *_schema_faults(content)]
    faults = faults or [*_access_faults(content), *_alias_faults(content)]
    if faults:
        raise ConfigError("\n".join(f"{path}: {fault}" for fault in faults))
    return content


def check_model(content: dict[str, Any]) -> None:
    """Checks every file of the model that a checked config names. A model inside this package is
    not checked. Raises CheckpointError, ConfigError."""
    for application in content["applications"]:
        if application.get("import_path") == IMPORT_PATH:
            args = ServeArgs.model_validate(application.get("args") or {})
            if args.model not in PACKAGED or args.revision is not None:
                _check_model(args)


def _check_model(args: ServeArgs) -> None:
    with warnings.catch_warnings():  # upstream's libraries use deprecated parts of each other
        warnings.simplefilter("ignore")
        check_model_files(args)  # imports torch, which takes seconds


def unknown_keys(model: type[BaseModel], content: Any, where: str) -> Iterator[str]:
    """The keys that neither `model` nor a model nested in it has."""
    if not isinstance(content, dict):
        return
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for key, value in content.items():
        if key not in fields:
            known = ", ".join(sorted(fields))
            yield f"unknown key {where}{key} (known: {known})"
            continue
        nested = _nested_model(fields[key].annotation)
        if nested is not None:
            items = enumerate(value) if isinstance(value, list) else [(None, value)]
            for index, item in items:
                at = f"{where}{key}." if index is None else f"{where}{key}[{index}]."
                yield from unknown_keys(nested, item, at)


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    """The model inside Optional, Union and list annotations; None for anything else."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, list, typing.Sequence):
        for inner in get_args(annotation):
            if (model := _nested_model(inner)) is not None:
                return model
    return None


def _schema_faults(content: dict[str, Any]) -> Iterator[str]:
    try:
        ServeDeploySchema.model_validate(content)
    except ValidationError as error:
        yield from _lines(error, "")
    applications = content.get("applications")
    if not isinstance(applications, list) or not applications:
        yield "applications: at least one is required"
        return
    for index, application in enumerate(applications):
        if isinstance(application, dict) and application.get("import_path") == IMPORT_PATH:
            yield from _application_faults(application, f"applications[{index}].")


def _application_faults(application: dict[str, Any], where: str) -> Iterator[str]:
    try:
        ServeArgs.model_validate(application.get("args") or {})
    except ValidationError as error:
        yield from _lines(error, f"{where}args.")
    for index, deployment in enumerate(application.get("deployments") or []):
        name = deployment.get("name") if isinstance(deployment, dict) else None
        if name not in DEPLOYMENTS:
            yield (
                f"{where}deployments[{index}].name: {name!r} is not one of {', '.join(DEPLOYMENTS)}"
            )


def _access_faults(content: dict[str, Any]) -> Iterator[str]:
    host = str((content.get("http_options") or {}).get("host", "127.0.0.1"))
    for index, application in enumerate(content["applications"]):
        if application.get("import_path") == IMPORT_PATH:
            args = ServeArgs.model_validate(application.get("args") or {})
            try:
                keys = load_keys(args.access)
                KeyRing(keys)
                refuse_open_doors(keys, host, serves_through_haproxy(), args.access)
            except ConfigError as error:
                yield f"applications[{index}]: {error.message}"


def _alias_faults(content: dict[str, Any]) -> Iterator[str]:
    """Of models and voices that are here: `serve` asks the model hub and stores elsewhere."""
    for index, application in enumerate(content["applications"]):
        if application.get("import_path") != IMPORT_PATH:
            continue
        args = ServeArgs.model_validate(application.get("args") or {})
        is_here = args.model in PACKAGED and "://" not in (args.voices or "")
        if is_here and (args.model_aliases or args.voice_aliases):
            try:
                faults = alias_faults(args, model_card(args))
            except (CheckpointError, ConfigError) as error:
                faults = [error.message]
            yield from (f"applications[{index}].args.{fault}" for fault in faults)


def alias_faults(args: ServeArgs, card: ModelCard) -> list[str]:
    """The aliases that mean no model and no voice of the server."""
    models = model_alias_faults(card, args.model_aliases)
    return models + voice_alias_faults(card, args.voice_aliases)


def _lines(error: ValidationError, where: str) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        yield f"{where}{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}"


class _UniqueKeys(yaml.SafeLoader):
    """In YAML, a later key silently replaces an equal earlier key. This loader raises an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == MERGE:  # `<<: *anchor`: a later key may replace a merged one
                continue
            key = self.construct_object(key_node, deep=deep)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"duplicate key {key!r}", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
