"""The frame of the HTML pages: one file each with everything in it, no script and no request; light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2430; --dim: #667085; --line: #e4e7ec; --paper: #ffffff; --page: #f5f6f8;
  --pass: #15803d; --fail: #dc2626; --mark: #eef6f0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ee; --dim: #9aa3b5; --line: #2d3342; --paper: #171b24;
  --page: #0f1218; --pass: #4ade80; --fail: #f87171; --mark: #1c2b22; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 28px 16px 64px; }
h1 { font-size: 20px; margin: 0 0 16px; } h2 { font-size: 16px; margin: 0 0 12px; }
section, header { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 20px 24px;
  margin-bottom: 16px; overflow-x: auto; }
.verdict { font-weight: 700; padding: 2px 12px; border-radius: 999px; border: 2px solid; margin-right: 10px; }
.PASS { color: var(--pass); } .FAIL { color: var(--fail); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 16px; margin: 0; }
dt, .dim, th { color: var(--dim); font-size: 13px; font-weight: 400; }
dd { margin: 0; font-size: 22px; font-weight: 600; } dd small { display: block; font-size: 13px; font-weight: 400;
  color: var(--dim); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); }
.number { text-align: right; } tr.winner { background: var(--mark); font-weight: 600; }
svg { display: block; width: 100%; height: auto; margin-bottom: 12px; } p { margin: 8px 0 0; }
code, pre { font: 13px ui-monospace, monospace; } pre { margin: 0; white-space: pre-wrap; }
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def whole_page(title: str, sections: Sequence[str]) -> str:
    """A page of sections; empty ones are left out."""
    return _PAGE.format(title=escape(title), style=_STYLE, body="\n".join(filter(None, sections)))


def tiles(rows: Sequence[tuple[str, str, str]]) -> str:
    """The figures that matter, large: (name, value, note)."""
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in rows
    )
    return f"<dl>{items}</dl>"


def section(title: str, body: str) -> str:
    """A titled box; `body` is markup."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: int = 0,
    marked: frozenset[int] | set[int] = frozenset(),
) -> str:
    """A table whose first `numbers` columns are right-aligned and whose `marked` rows stand out."""

    def cell(tag: str, column: int, text: str) -> str:
        kind = ' class="number"' if column < numbers else ""
        return f"<{tag}{kind}>{escape(text)}</{tag}>"

    head = "".join(cell("th", i, text) for i, text in enumerate(heads)) if any(heads) else ""
    body = "".join(
        f"<tr{' class=winner' if i in marked else ''}>{''.join(cell('td', j, text) for j, text in enumerate(row))}</tr>"
        for i, row in enumerate(rows)
    )
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
