"""The verbs that need no traffic."""
import json
import subprocess

import pytest

from support.paths import BOOKINFO, PROXY, SENNIT


def sennit(*arguments, stdin=None):
    return subprocess.run([SENNIT, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("verb", ["up", "demo", "status", "apply", "validate", "control", "run", "gateway",
                                  "api-support", "version"])
def test_each_verb_has_help(verb):
    result = sennit(verb, "--help")
    assert result.returncode == 0 and "--help" in result.stdout


def test_wrong_usage_exits_2():
    assert sennit("nonsense").returncode == 2
    assert sennit("apply").returncode == 2
    assert sennit("run", "--workload-group", "a", "--no-such-flag", "--", "true").returncode == 2


def test_version():
    assert json.loads(sennit("version", "-o", "json").stdout)["version"]
    assert subprocess.run([PROXY, "--version"], capture_output=True, timeout=30).returncode == 0


def test_validate_takes_the_example_without_a_word():
    result = sennit("validate", "-f", BOOKINFO / "mesh")
    assert (result.returncode, result.stderr) == (0, ""), result


def test_validate_names_file_line_column_field_and_fix(tmp_path):
    path = tmp_path / "reviews.yaml"
    path.write_text("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: reviews\n"
                    "spec:\n  hosts: [reviews]\n  http:\n  - rout:\n    - destination: {host: reviews}\n")
    result = sennit("validate", "-f", path)
    assert result.returncode == 1
    text = result.stdout + result.stderr
    assert f"{path}:8:5" in text and "rout" in text and "route" in text, text


def test_validate_reads_standard_input():
    assert sennit("validate", "-f", "-", stdin=(BOOKINFO / "canary.yaml").read_text()).returncode == 0
    assert sennit("validate", "-f", "-", stdin="kind: [").returncode == 1


def test_api_support_lists_every_field_with_a_status():
    fields = json.loads(sennit("api-support", "-o", "json").stdout)
    assert {f["status"] for f in fields} <= {"works", "refused"}
    table = {(f["kind"], f["path"]): f["status"] for f in fields}
    assert table[("VirtualService", "http[].route[].weight")] == "works"
    assert table[("WasmPlugin", "url")] == "refused"
    assert len(fields) > 900


def test_status_says_what_is_wrong_where_there_is_no_control_plane():
    result = sennit("status", "--http-control", "127.0.0.1:1")
    assert result.returncode == 1 and "127.0.0.1:1" in result.stderr
