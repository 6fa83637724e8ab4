"""URLs: what one is, and how it is shown without what opens doors."""

import re
from urllib.parse import parse_qsl, urlsplit, urlunsplit

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_INSIDE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^\s'\"<>]+")
_SECRET = re.compile(r"sig|token|key|secret|pass|cred|auth|session|x-amz|x-goog", re.IGNORECASE)


def is_url(text: str) -> bool:
    """Whether a text begins like a URL, such as ``s3://``."""
    return _URL.match(text) is not None


def without_secrets(text: str) -> str:
    """A text whose URLs have no user, no password and no signature.

    Where a part of a query is called like a secret, all of the query is left out.
    """
    return _INSIDE.sub(lambda found: _cleaned(found[0]), text)


def _cleaned(url: str) -> str:
    try:
        parts = urlsplit(url)
        query = parts.query
        if any(_SECRET.search(name) for name, _ in parse_qsl(query, keep_blank_values=True)):
            query = ""
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, parts.fragment))
    except ValueError:
        return url.partition("?")[0]


def name_in(url: str) -> str:
    """The last part of a URL's path: the name of the file."""
    return urlsplit(url).path.rpartition("/")[2]
