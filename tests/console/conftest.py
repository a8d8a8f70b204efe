from support.starter import start  # noqa: F401
