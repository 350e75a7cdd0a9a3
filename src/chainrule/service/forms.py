"""Forms with files: multipart/form-data."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from chainrule.data.readers.archives import MIB
from chainrule.service.pictures import MOST_PICTURES, File
from chainrule.service.refusal import RequestError

# The client is told what is wrong with its form.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


def read_form(body: bytes, content_type: str) -> list[File]:
    """Files in a form; RequestError if it is none, or has other fields."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", content_type.encode("latin-1"))]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    return asyncio.run(_files(Request(scope, receive)))


async def _files(request: Request) -> list[File]:
    files = []
    try:
        async with request.form(
            max_files=MOST_PICTURES, max_fields=MOST_PICTURES, max_part_size=MIB
        ) as form:
            for name, value in form.multi_items():
                if not isinstance(value, UploadFile):
                    raise RequestError(422, f"the field {name[:80]!r} is not a file: send pictures")
                files.append(((value.filename or name)[:80], await value.read()))
    except (MultiPartException, HTTPException, FormParserError) as error:
        # Not every version of Starlette turns the parser's own error into one of its own.
        what = getattr(error, "detail", "") or str(error)
        raise RequestError(400, f"the form cannot be read: {what}") from None
    return files
