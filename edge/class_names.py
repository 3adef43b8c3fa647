"""What a class may be called: the name of its folder, wherever it is trained, taught, corrected or exported."""

from __future__ import annotations

import unicodedata

from edge.errors import UsageError
from edge.messages import Outcome

# A file system's own bound is 255 bytes.
_MAX_BYTES = 200
# A class of such a name could not be told from an item without one, on a broker's topic or in a report.
_SAID_INSTEAD = frozenset(outcome.value for outcome in Outcome)


def class_name(text: str) -> str:
    r"""The class that `text` names, in its one form: no spaces around it, and composed (Unicode's NFC).

    >>> class_name(" Restmu\u0308ll ")
    'Restmüll'

    Raises:
        UsageError: it cannot be the name of a folder of its own, or is what a bin says instead of a class.
    """
    name = unicodedata.normalize("NFC", text).strip()
    is_plain = name.isprintable() and not {"/", "\\"} & set(name) and not name.startswith((".", "-"))
    if not (name and is_plain and len(name.encode()) <= _MAX_BYTES):
        raise UsageError(
            f"{text[:_MAX_BYTES]!r} cannot be the name of a class: expected 1 to {_MAX_BYTES} bytes of printable"
            " characters without / and \\, not beginning with . or -"
        )
    if name.casefold() in _SAID_INSTEAD:
        raise UsageError(
            f"{name!r} cannot be the name of a class: it is what a bin says in place of one; name it otherwise,"
            " such as 'other'"
        )
    return name
