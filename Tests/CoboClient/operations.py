"""The operations of the stock client: what its API classes can be asked to do."""

import importlib
import inspect
import pkgutil
import re
import uuid

import cobo_waas2.api

# Further spellings that the client has of each operation.
SPELLINGS = ("_with_http_info", "_without_preload_content")


def classes():
    """The API classes by name, those too that the package has and does not export."""
    modules = [
        importlib.import_module(f"{cobo_waas2.api.__name__}.{module.name}")
        for module in pkgutil.iter_modules(cobo_waas2.api.__path__)
    ]
    return {
        name: found for module in modules for name, found in vars(module).items()
        if inspect.isclass(found) and found.__module__ == module.__name__
    }


def operations(api_class):
    return [
        name for name, found in vars(api_class).items()
        if inspect.isfunction(found) and not name.startswith("_")
        and not name.endswith(SPELLINGS)
    ]


def note(keep):
    """Has `keep` called with the name of each operation that succeeds from now on."""
    for api_class in classes().values():
        for name in operations(api_class):
            setattr(api_class, name, noting(keep, name, getattr(api_class, name)))


def noting(keep, name, operation):
    def call(*all, **more):
        answer = operation(*all, **more)
        keep(name)
        return answer

    return call


def request(api_class, name, client):
    """The operation's request as the client builds it, about things that there are not, without
    parameters and body."""
    build = getattr(api_class(client), f"_{name}_serialize")
    method, url, *rest = build(**dict.fromkeys(inspect.signature(build).parameters))
    return method, re.sub(r"{\w+}", lambda _: str(uuid.uuid4()), url), *rest
