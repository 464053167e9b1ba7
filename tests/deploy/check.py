"""Reads a JSON list of texts on standard input, checks each document in each of them by the schema
of each Kubernetes version in argv, unknown keys refused, and prints for each text
{"documents": […], "errors": […], "unchecked": [kinds]}."""

import json
import sys

import kubernetes_validate
import yaml


class Strict(yaml.CSafeLoader):
    """A key that is there twice is an error, as for Kubernetes itself."""


def mapping(loader, node):
    pairs = [(loader.construct_object(key, deep=True), loader.construct_object(value, deep=True)) for key, value in node.value]
    names = [key for key, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise yaml.YAMLError(f"{name} is there twice, {node.start_mark}")
    return dict(pairs)


Strict.add_constructor("tag:yaml.org,2002:map", mapping)


def check(text):
    answer = {"documents": [], "errors": [], "unchecked": []}
    try:
        answer["documents"] = [document for document in yaml.load_all(text, Strict) if document]
    except yaml.YAMLError as error:
        answer["errors"].append(str(error))
    for document in answer["documents"]:
        what = f"{document.get('kind')} {document.get('metadata', {}).get('name')}"
        for version in sys.argv[1:]:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.SchemaNotFoundError:
                answer["unchecked"].append(document.get("kind"))
            except kubernetes_validate.ValidationError as error:
                path = "/".join(str(part) for part in error.path)
                answer["errors"].append(f"{version}: {what}: {path}: {error.message}")
    return answer


print(json.dumps([check(text) for text in json.load(sys.stdin)]))
