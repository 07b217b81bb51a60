"""The tables of docs/api/mpc-admin.md against the installed client, and against the platform.

    table.py DEV_JSON BIN...

Each operation that the client has stands in one table and once, or is of an API class that is
another product; the tables have nothing else. Each is asked for, and answers as its table says. What
works must also have succeeded in the scripts that ran before this one on the same stack.
"""

import re
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from cobo_waas2.exceptions import ApiException

from operations import classes, operations, request
from stack import SUCCEEDED, api, same, step

PAGE = Path(__file__).resolve().parents[2] / "docs/api/mpc-admin.md"
# What a path that is no endpoint answers. One of theirs looks like a wallet's.
UNKNOWN = {"list_exchanges": (404, 2028)}


def rows(heading):
    """The names in the first column below a heading, and the rest of their lines."""
    found = PAGE.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `(\w+)` \| (.+) \|$", found, re.MULTILINE)


def answer(api_class, name):
    """Status and code of what the operation answers; 2xx has no code."""
    response = api.call_api(*request(api_class, name, api))
    response.read()
    try:
        api.response_deserialize(response, {"4XX": "ErrorResponse", "5XX": "ErrorResponse"})
        return response.status, None
    except ApiException as error:
        assert error.data is not None, f"{name}: unsigned or unreadable: {error}"
        return error.status, error.data.error_code


def main():
    every = classes()
    works = [name for name, rest in rows("What is supported") if not rest.startswith("ours:")]
    ours = [name for name, rest in rows("What is supported") if rest.startswith("ours:")]
    refused = [name for name, _ in rows("What is not supported")]
    products = [name for name, _ in rows("Other products")]
    assert all(reason for _, reason in rows("What is not supported") + rows("Other products"))

    for name in products:
        assert name in every, f"the client has no {name}"
    of = {
        operation: api_class for name, api_class in every.items() if name not in products
        for operation in operations(api_class)
    }
    others = {
        operation: every[name] for name in products for operation in operations(every[name])
    }
    total = sum(len(operations(api_class)) for api_class in every.values())
    same(len(of) + len(others), total, "operations whose names differ")
    listed, known = Counter(works + refused), Counter(list(of))
    same(sorted(known - listed), [], "operations that are in no table")
    same(sorted(listed - known), [], "rows that are no operation's, or its second")
    same(sorted(set(ours) & (set(of) | set(others))), [], "what is ours and the client has")

    wrong = []
    for name in works:
        if answer(of[name], name) in [(405, 2002), (404, 2021)]:
            wrong.append(f"{name} is not served")
    for name in refused:
        if (found := answer(of[name], name)) != (405, 2002):
            wrong.append(f"{name} answers {found}")
    for name, api_class in others.items():
        if (found := answer(api_class, name)) != UNKNOWN.get(name, (404, 2021)):
            wrong.append(f"{name} answers {found}")
    succeeded = set(SUCCEEDED.read_text().split())
    wrong += [f"no script has {name} succeed" for name in works if name not in succeeded]
    assert not wrong, wrong

    count = (
        f"{total} operations: {len(works)} work, {len(refused)} not supported, {len(others)} of "
        "other products"
    )
    stated = f"`cobo-waas2` {version('cobo-waas2')} has {count}."
    assert stated in " ".join(PAGE.read_text().split()), f"the page must say: {stated}"
    step(count)
    step("done")


main()
