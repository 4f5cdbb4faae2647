from app.engine.upstream.lazy_import import import_by_submodule

import_by_submodule()  # before any module of the engine imports upstream's
