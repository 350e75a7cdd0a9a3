"""Articles: five tutorials, a module each, with the numbers it prints, its claims, its ablations.

A module of this package is an article if it defines `ARTICLE = Article(...)`; there is no list.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from chainrule.articles.article import Article
from chainrule.core.errors import ConfigError
from chainrule.core.tables import Table


def found() -> dict[str, Article]:
    """Articles by recipe, in the order of their numbers, from all modules of this package."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    values = [getattr(module, "ARTICLE", None) for module in modules]
    articles = [value for value in values if isinstance(value, Article)]
    return {one.recipe: one for one in sorted(articles, key=lambda one: one.number)}


ARTICLES: Table[Article] = Table("article", found())


def named(name: str) -> list[Article]:
    """Article of this name or number, or all. Raises ConfigError for an unknown one."""
    if name == "all":
        return list(ARTICLES.values())
    numbers = {str(article.number): article for article in ARTICLES.values()}
    try:
        return [numbers[name] if name in numbers else ARTICLES[name]]
    except ValueError as error:
        raise ConfigError(f"{error}; a number, {', '.join(numbers)}, will do, or all") from None
