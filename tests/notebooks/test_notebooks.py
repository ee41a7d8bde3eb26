"""Notebooks run from the first cell to the last, and are stored without outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_not_stored(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.source for cell in code if cell.outputs or cell.execution_count] == []


def test_merge_and_hear(finished_recipe, tmp_path, monkeypatch):
    for name in ("exp", "dump"):
        (tmp_path / name).mkdir()
    (tmp_path / "exp" / "demo").symlink_to(finished_recipe / "exp")
    (tmp_path / "dump" / "demo").symlink_to(finished_recipe / "dump" / "raw")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    path = ROOT / "notebooks" / "merge_and_hear.ipynb"
    notebook = nbformat.read(path, as_version=4)
    # A model that was never trained would speak on to the limit.
    for cell in notebook.cells:
        cell.source = cell.source.replace("max_new_tokens=60", "max_new_tokens=5")
    client = NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()

    shown = [
        output.data
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    assert sum("image/png" in data for data in shown) == 2
    pages = [data["text/html"] for data in shown if "text/html" in data]
    assert sum("<audio" in page for page in pages) == 2
    assert sum("<th>said</th><td>Hola Mundo!</td>" in page for page in pages) == 1
    decoded = tmp_path / "exp" / "notebook" / "decoded"
    scores = {str(file.relative_to(decoded)) for file in decoded.rglob("score.json")}
    assert len(scores) == 10
    weights = tmp_path / "exp" / "notebook" / "tsv_m" / "model.safetensors"
    assert weights.exists()
