"""The OpenAPI document of the API, published as a file: `python -m api.openapi` writes it anew; a test holds it."""

import json
from pathlib import Path
from typing import Final

from api.application import build_routes

PUBLISHED: Final = Path(__file__).parent / "published" / "openapi.json"


def build() -> str:
    """Give the file's content."""
    return json.dumps(build_routes().openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PUBLISHED.parent.mkdir(exist_ok=True)
    PUBLISHED.write_text(build())
