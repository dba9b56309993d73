"""`python -m dlcourse` names every experiment."""

from dlcourse import __main__ as index
from tests import ROOT


def test_every_experiment_is_listed_with_a_sentence(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COLUMNS", "120")
    assert index.main() == 0
    said = capsys.readouterr().out
    files = sorted((ROOT / "experiments").glob("*/*.py"))
    assert len(files) > 30
    found = {path: line for part in index.described(ROOT / "experiments").values()
             for path, line in part.items()}  # fmt: skip
    assert found.keys() == {f"{file.parent.name}/{file.name}" for file in files}
    for path, line in found.items():
        assert path in said
        assert line[:30] in said
        assert line.endswith((".", "?"))
    monkeypatch.setattr(index, "EXPERIMENTS", tmp_path / "none")
    assert index.main() == 2
    assert "Clone the repository" in capsys.readouterr().err
