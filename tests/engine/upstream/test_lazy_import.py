"""Upstream's packages without their `__init__`, each case in a process of its own."""

import subprocess
import sys
import textwrap
from pathlib import Path


def run(script: str, folder: Path | None = None) -> None:
    program = f"import sys\nsys.path.insert(0, {str(folder)!r})\n{textwrap.dedent(script)}"
    command = [sys.executable, "-W", "ignore", "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def write_package(folder: Path) -> None:
    inner = folder / "outer" / "inner"
    inner.mkdir(parents=True)
    (folder / "outer" / "__init__.py").write_text("from .inner import NAME\n__version__ = '1'\n")
    (inner / "__init__.py").write_text("from .leaf import NAME\n")
    (inner / "leaf.py").write_text("NAME = 'it'\n")
    (inner / "other.py").write_text("")


def test_upstream_is_whole_for_who_asks_for_it() -> None:
    run("""
        import app.engine
        import chatterbox.models.utils
        assert "chatterbox.tts" not in sys.modules
        from chatterbox import ChatterboxTTS
        from chatterbox.models.s3gen import S3Gen
        import chatterbox
        assert chatterbox.ChatterboxTTS is sys.modules["chatterbox.tts"].ChatterboxTTS
        assert chatterbox.__version__
    """)


def test_a_package_is_executed_when_it_is_asked_for_a_name(tmp_path: Path) -> None:
    write_package(tmp_path)
    run(
        """
        from app.engine.upstream.lazy_import import import_by_submodule
        import_by_submodule(("outer", "outer.inner"))
        import outer.inner.other
        assert "outer.inner.leaf" not in sys.modules
        assert not hasattr(outer, "__wrapped__")  # as whoever looks at every module asks
        assert "outer.inner.leaf" not in sys.modules
        assert outer.NAME == outer.inner.NAME == "it" and outer.__version__ == "1"
        assert outer is sys.modules["outer"]
        assert not hasattr(outer, "nosuch")
        """,
        tmp_path,
    )


def test_a_package_that_is_loaded_stays_as_it_is(tmp_path: Path) -> None:
    write_package(tmp_path)
    run(
        """
        import outer
        from app.engine.upstream.lazy_import import import_by_submodule
        import_by_submodule(("outer", "outer.inner"))
        assert vars(outer)["NAME"] == "it" and sys.modules["outer"] is outer
        """,
        tmp_path,
    )


def test_what_is_hidden_cannot_be_imported_and_then_can() -> None:
    run("""
        from app.engine.upstream.lazy_import import hidden
        with hidden("colorsys", "sys"):
            import sys as still  # it was loaded before
            try:
                import colorsys
            except ImportError:
                failed = True
        assert failed and sys.modules["sys"] is sys
        import colorsys
    """)


def test_a_package_that_was_not_executed_is_forgotten(tmp_path: Path) -> None:
    write_package(tmp_path)
    run(
        """
        from app.engine.upstream.lazy_import import unexecuted
        with unexecuted("outer", "outer.inner"):
            from outer.inner import other
            assert "outer.inner.leaf" not in sys.modules
        assert not [name for name in sys.modules if name.startswith("outer")]
        import outer
        assert outer.NAME == "it"
        with unexecuted("outer", "outer.inner"):  # it is loaded now: used as it is
            from outer.inner import other as again
        assert sys.modules["outer"] is outer and again is not other
        """,
        tmp_path,
    )
