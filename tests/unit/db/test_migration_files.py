"""The files of the migrations, without a database: what two who work side by side get wrong first."""

import re
from pathlib import Path

import migrations

VERSIONS = sorted((Path(migrations.__file__).parent / "versions").glob("*.py"))


def test_files_are_numbered_without_gaps_and_say_when_they_run():
    names = [path.stem for path in VERSIONS]

    assert all(re.fullmatch(r"\d{4}_(pre|post)_[a-z0-9_]+", name) for name in names)
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_each_names_itself_and_the_one_before():
    for path in VERSIONS:
        number = path.stem[:4]
        before = "None" if number == "0001" else f'"{int(number) - 1:04}"'
        text = path.read_text()

        assert f'\nrevision = "{number}"\n' in text, path.stem
        assert f"\ndown_revision = {before}\n" in text, path.stem
