"""`sorter model show`: what is inside a bundle, and what its card says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import json_option, verbosity_options

if TYPE_CHECKING:
    from edge.bundle import Bundle


@click.command(short_help="Tell what is inside a bundle.")
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@json_option
@verbosity_options
def show(bundle: Path | None, *, as_json: bool) -> None:
    """Tell what is inside BUNDLE, after checking every file of it; the shipped model where none is named."""
    from edge.bundle import DEFAULT_BUNDLE, load_bundle
    from edge.models.signatures import claimed_key

    loaded = load_bundle(bundle or DEFAULT_BUNDLE)
    owner = claimed_key(loaded)
    click.echo(_as_json(loaded, owner) if as_json else _as_text(loaded, owner))


def _as_text(bundle: Bundle, owner: str | None) -> str:
    manifest = bundle.manifest
    size = manifest.input
    files = {name: (bundle.path / name).stat().st_size for name in manifest.files}
    expects = "bytes as they are" if (size.mean, size.std) == (0, 1) else f"(byte - {size.mean:g}) / {size.std:g}"
    claim = "nobody" if owner is None else f"{owner}, as it says itself: check with `sorter model verify --public-key`"
    return "\n".join(
        [
            f"{bundle.short_name} in {bundle.path}",
            f"  id           {bundle.bundle_id}",
            f"  classes      {', '.join(manifest.labels)}",
            f"  input        {size.width_px} x {size.height_px} px RGB, {expects}",
            f"  precision    {manifest.precision}",
            f"  temperature  {manifest.temperature:g}",
            f"  embedding    {manifest.outputs.embedding_size or 'none: it cannot be taught new classes'}",
            f"  EdgeTPU      {'compiled too' if bundle.edgetpu_model_path else 'not compiled'}",
            f"  signed by    {claim}",
            *(f"  {name:<22} {value:g}" for name, value in manifest.metrics.items()),
            *(f"  {name:<22} {num_bytes} bytes" for name, num_bytes in files.items()),
        ]
    )


def _as_json(bundle: Bundle, owner: str | None) -> str:
    manifest = bundle.manifest.model_dump(mode="json", by_alias=True)
    found = {"schema": 1, "id": bundle.bundle_id, "path": str(bundle.path), "claimed_key": owner}
    return json.dumps({**found, "manifest": manifest})
