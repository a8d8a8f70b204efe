"""The images that are built here: what they hold is enough, and no more is allowed than they need."""

import pathlib
import re
import subprocess

import pytest
import standins

from support.sidecar import binary

# Of every Debian, by what dpkg itself needs or as parts of the compiler's run time.
OF_DEBIAN = {"libc6", "libgcc-s1", "libstdc++6"}
MEGABYTE = 1_000_000
SIDECAR_MEGABYTES = 40


def owner(library):
    """The Debian package of a library, whichever of the merged folders it is registered under."""
    path = str(pathlib.Path(library).resolve())
    for each in {path, path.removeprefix("/usr"), f"/usr{path}"}:
        found = subprocess.run(["dpkg-query", "-S", each], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.partition(":")[0]
    raise AssertionError(f"{library} is of no package")


def test_the_sidecar_image_installs_every_library_of_the_binary():
    needed = subprocess.run(["objdump", "-p", binary()], capture_output=True, text=True, check=True).stdout
    names = set(re.findall(r"NEEDED +(\S+)", needed))
    places = subprocess.run(["ldd", binary()], capture_output=True, text=True, check=True).stdout
    libraries = [
        path for name, path in re.findall(r"(\S+) => (/\S+)", places) if name in names and "san" not in name
    ]
    packages = {owner(library) for library in libraries} - OF_DEBIAN
    assert len(packages) > 5
    assert packages <= set(standins.packages("image-sidecar").split())


@pytest.fixture
def built(engine, images):
    if engine is None:
        pytest.skip("needs an engine")
    return lambda *arguments: engine.run(*arguments).stdout.strip()


def test_the_sidecar_image_is_small_and_not_roots(built, images):
    image = images["SIDECAR_IMAGE"]
    size, base = (
        int(built("image", "inspect", "--format", "{{.Size}}", each))
        for each in (image, images["DEBIAN_IMAGE"])
    )
    assert size - base < SIDECAR_MEGABYTES * MEGABYTE, f"{(size - base) / MEGABYTE:.0f} MB over its base"
    assert built("image", "inspect", "--format", "{{.Config.User}}", image) == "sidecar"
    assert built("run", "--rm", "--entrypoint", "id", image, "-u") == "10001"
    for tool in ("g++", "cmake", "git"):
        missing = ["run", "--rm", "--entrypoint", "sh", image, "-c", f"command -v {tool} || echo none"]
        assert built(*missing) == "none", f"the compiling stage is in the image: {tool}"


def test_the_sidecar_image_asks_itself_for_its_health(built, images):
    check = built("image", "inspect", "--format", "{{json .Config.Healthcheck}}", images["SIDECAR_IMAGE"])
    assert '"sidecar","check"' in check


def test_no_image_holds_an_env_file(built, images):
    find = ["run", "--rm", "--entrypoint", "find", images["SERVICES_IMAGE"], "/srv", "-name", "*.env"]
    assert built(*find) == ""
    assert built("run", "--rm", "--entrypoint", "id", images["SERVICES_IMAGE"], "-un") == "hdms"
