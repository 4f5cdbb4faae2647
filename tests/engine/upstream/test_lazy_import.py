"""Upstream's packages without their `__init__`. Each case runs in a process of its own."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


def run(script: str, folder: Path | None = None) -> None:
    """Runs the script with `folder` on the import path."""
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


@pytest.mark.long  # some 15 s: every module of upstream
def test_upstream_is_whole_once_a_name_is_imported_from_it() -> None:
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


def test_a_package_is_executed_when_a_name_is_read_from_it(tmp_path: Path) -> None:
    write_package(tmp_path)
    run(
        """
        from app.engine.upstream.lazy_import import import_by_submodule
        import_by_submodule(("outer", "outer.inner"))
        import outer.inner.other
        assert "outer.inner.leaf" not in sys.modules
        assert not hasattr(outer, "__wrapped__")  # a tool that inspects every module asks this
        assert "outer.inner.leaf" not in sys.modules
        assert outer.NAME == outer.inner.NAME == "it" and outer.__version__ == "1"
        assert outer is sys.modules["outer"]
        assert not hasattr(outer, "nosuch")
        """,
        tmp_path,
    )


def test_import_by_submodule_leaves_a_loaded_package_as_it_is(tmp_path: Path) -> None:
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


def test_without_modules_makes_an_import_fail_within_the_block_alone() -> None:
    run("""
        from app.engine.upstream.lazy_import import without_modules
        failed = False
        with without_modules("colorsys", "sys"):
            import sys as still  # it was loaded before
            try:
                import colorsys
            except ImportError:
                failed = True
        assert failed and sys.modules["sys"] is sys
        import colorsys
    """)


def test_with_stand_ins_imports_a_library_without_the_packages_that_it_names(
    tmp_path: Path,
) -> None:
    (tmp_path / "large.py").write_text("raise AssertionError('it was imported')")
    (tmp_path / "library.py").write_text(
        "import large.inner.deep\n"
        "from large import Class, decorated, wanted\n"
        "class Own(Class):\n"
        "    @decorated\n"
        "    def it(self): pass\n"
        "DEFAULT = Class({'a': 1}).of('b')\n"
    )
    run(
        """
        from app.engine.upstream.lazy_import import with_stand_ins
        with with_stand_ins("large", "os", names={"large.wanted": 3}):
            import os as still  # it was loaded before
            import library
        assert library.wanted == 3 and still.getpid() > 0
        assert "large" not in sys.modules and "large.inner" not in sys.modules
        for use in (lambda: library.Class(), lambda: library.decorated.name):
            try:
                use()
            except RuntimeError as error:
                assert "large." in str(error)
            else:
                raise AssertionError("a stand-in was used")
        try:
            import large
        except AssertionError:
            pass
        """,
        tmp_path,
    )


def test_without_init_forgets_the_package_after_the_block(tmp_path: Path) -> None:
    write_package(tmp_path)
    run(
        """
        from app.engine.upstream.lazy_import import without_init
        with without_init("outer", "outer.inner"):
            from outer.inner import other
            assert "outer.inner.leaf" not in sys.modules
        assert not [name for name in sys.modules if name.startswith("outer")]
        import outer
        assert outer.NAME == "it"
        """,
        tmp_path,
    )


def test_without_init_uses_a_loaded_package_as_it_is(tmp_path: Path) -> None:
    write_package(tmp_path)
    run(
        """
        import outer
        from app.engine.upstream.lazy_import import without_init
        with without_init("outer", "outer.inner"):
            from outer.inner import other
        assert sys.modules["outer"] is outer and outer.inner.other is other
        """,
        tmp_path,
    )
