"""Refusal of a request for predictions, whoever reads its body."""

from __future__ import annotations

from typing import Any


class RequestError(Exception):
    """Refusal of a request: a status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, *self.args), vars(self)
