import app.engine  # first: upstream's packages are then imported by the submodule  # noqa: F401
