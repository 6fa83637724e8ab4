"""Pages of the Python API: one for each public name, and one for each package whose modules are used by name.

The generator of the site fills them in from docstrings. Nothing is imported but the list of names.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import tubelet

SOURCES = Path(tubelet.__file__).parents[1]

PACKAGES = {
    "errors": ("Errors and warnings", ["tubelet.errors"]),
    "types": ("The nouns", ["tubelet.types"]),
    "video": ("Videos", ["tubelet.video.read", "tubelet.video.write", "tubelet.video.pixels"]),
    "data": ("Data sets", ["tubelet.data.latent_dataset", "tubelet.data.clips", "tubelet.data.scenes"]),
    "losses": ("Losses", ["tubelet.losses"]),
    "metrics": ("Metrics", ["tubelet.metrics"]),
    "quantizers": ("Quantisers", ["tubelet.quantizers"]),
    "models": ("Models", ["tubelet.models.protocol", "tubelet.models.whole_tile"]),
    "recipes": ("Recipes", ["tubelet.recipes"]),
    "generate": (
        "Generators",
        ["tubelet.generate.files", "tubelet.generate.checkpoint", "tubelet.generate.text_encoder"],
    ),
    "interop": (
        "Interoperation",
        [
            "tubelet.interop.rivals",
            "tubelet.interop.as_diffusers",
            "tubelet.interop.onnx",
            "tubelet.interop.openvino",
            "tubelet.interop.torch_export",
        ],
    ),
    "testing": ("The laws as checks", ["tubelet.testing.laws", "tubelet.testing.subject"]),
}
"""Pages of packages: a title, and modules or packages, whose modules are all shown."""


def pages() -> dict[str, str]:
    """The text of each page, by its place."""
    names = {f"api/{name}.md": _name_page(name) for name in tubelet.__all__}
    packages = {f"api/tubelet.{name}.md": _package_page(*each) for name, each in PACKAGES.items()}
    return {"reference/python.md": _index()} | names | packages


def summary(name: str) -> str:
    """The first line of a public name's docstring.

    Raises:
        LookupError: it has none.
    """
    body = ast.parse(_file(tubelet._HOMES[name]).read_text(encoding="utf-8")).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            text = ast.get_docstring(node)
        elif (
            name in _assigned(node) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        ):
            text = str(after.value.value)
        else:
            continue
        if text:
            return text.strip().splitlines()[0]
    raise LookupError(f"tubelet.{name} has no docstring; write one in {tubelet._HOMES[name]}.")


def modules(name: str) -> Iterator[str]:
    """A module, or all modules of a package that others may use."""
    if _file(name).name != "__init__.py":
        yield name
        return
    for path in sorted(_file(name).parent.glob("[!_]*.py")):
        yield f"{name}.{path.stem}"


def _index() -> str:
    rows = [f"| [`{name}`](../api/{name}.md) | {summary(name)} |" for name in tubelet.__all__]
    packages = [
        f"- [`tubelet.{name}`](../api/tubelet.{name}.md): {title.lower()}"
        for name, (title, _) in PACKAGES.items()
    ]
    return "\n".join(
        [
            "# Python",
            "",
            "`import tubelet` imports neither torch nor a video library; names load when first used.",
            "",
            "| name | what it is |",
            "|---|---|",
            *rows,
            "",
            "Packages whose modules are imported by name:",
            "",
            *packages,
            "",
        ]
    )


def _name_page(name: str) -> str:
    return f"# tubelet.{name}\n\n::: {tubelet._HOMES[name]}.{name}\n"


def _package_page(title: str, parts: list[str]) -> str:
    found = [module for part in parts for module in modules(part)]
    blocks = [
        f"## {module}\n\n::: {module}\n    options:\n      show_root_heading: false\n" for module in found
    ]
    return f"# {title}\n\n" + "\n".join(blocks)


def _file(module: str) -> Path:
    """The file of a module or package.

    Raises:
        LookupError: there is none.
    """
    path = SOURCES.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    raise LookupError(f"there is no module {module}; mend PACKAGES.")


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]
