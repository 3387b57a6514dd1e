import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support.http import Backend  # noqa: E402
from support.mesh import Mesh  # noqa: E402
from support.paths import PROXY, SENNIT  # noqa: E402


def pytest_sessionstart(session):
    for program in (SENNIT, PROXY):
        if not program.exists():
            pytest.exit(f"{program} is not built: run `make build` first", returncode=2)


@pytest.fixture
def scratch(request):
    """A short-named temporary directory (unix sockets have short paths); kept if the test fails."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sennit-"))
    failed_before = request.session.testsfailed
    yield directory
    if request.session.testsfailed == failed_before:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def mesh(scratch):
    mesh = Mesh(scratch)
    yield mesh
    mesh.close()


@pytest.fixture
def backend():
    backend = Backend()
    yield backend
    backend.close()
