"""Files in `deploy/` name only existing settings, commands and files.

nginx, and systemd if it is installed, must accept their configuration. Linters in `make check` check the other files.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from secrets import token_hex

import pytest
import requests
import yaml
from django.core.management import get_commands

from luckygas.testing.deployed import DEPLOY, Nginx, exec_start, nginx
from luckygas.testing.servers import running
from luckygas.testing.site import ROOT
from luckygas.testing.waiting import PATIENCE_SECONDS
from luckygas.tests import docs
from luckygas.tests.test_docs import settings_in_code
from luckygas.tests.test_imports import APPS, files
from notifications.management.commands.send_pending_sms import NICENESS

UNITS = sorted(path.name for path in (DEPLOY / "systemd").glob("luckygas*.*") if path.is_file())
SERVICES = [name for name in UNITS if name.endswith(".service")]
TIMERS = [name for name in UNITS if name.endswith(".timer")]
# Required settings of a public site.
REQUIRED = {
    "SECRET_KEY", "SITE_URL", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "HTTPS", "PROXIES", "DATABASE_URL", "REDIS_URL",
    "MEDIA_ROOT", "MONITORING_TOKEN", "SMS_GATEWAY", "SMS_CALLBACK_SECRET", "SMS_CALLBACK_BASE_URL", "TRACKING_URL",
}  # fmt: skip

# Read by uvicorn and `install.sh`, not by the settings.
UVICORN_VARIABLES, INSTALL_VARIABLES = {"UVICORN_LOG_CONFIG"}, {"SERVERS"}


def setting_names(text: str) -> set[str]:
    """Returns the settings in NAME=value lines, also commented-out ones. NAME_FILE counts as NAME."""
    found = re.findall(r"^#?([A-Z][A-Z_0-9]+)=", text, re.MULTILINE)
    return {name.removesuffix("_FILE") for name in found}


def test_example_environment_has_known_and_all_required_settings() -> None:
    settings = setting_names((DEPLOY / "env.example").read_text())
    assert settings - settings_in_code() == UVICORN_VARIABLES | INSTALL_VARIABLES
    assert REQUIRED - settings == set()


def test_example_environment_passes_checks(tmp_path: Path) -> None:
    """`check --deploy` finds no error in it. Secrets are in files, as `install.sh` creates them."""
    text = (DEPLOY / "env.example").read_text()
    variables = dict(re.findall(r"^([A-Z][A-Z_0-9]+)='?([^'\n]*)'?$", text, re.MULTILINE))
    for name in [name for name in variables if name.endswith("_FILE")]:
        variables[name] = str(tmp_path / name)
        (tmp_path / name).write_text(token_hex(32))
    variables["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path / "metrics")
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "ERROR"]
    checked = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_compose_has_known_and_all_required_settings() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]
    settings = {name.removesuffix("_FILE") for name in services["app1"]["environment"]}
    settings |= setting_names((DEPLOY / "compose.env").read_text())
    assert settings - settings_in_code() == UVICORN_VARIABLES
    assert REQUIRED - settings == set()


def test_compose_runs_existing_commands() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]
    for name in ("app1", "app2", "sender", "migrate"):
        program, command, *_ = services[name]["command"]
        assert (ROOT / program).exists()
        assert program != "manage.py" or command in get_commands()


@pytest.mark.parametrize(("file", "root"), [("env.example", "/opt/luckygas/current"), ("compose.yml", "/opt/luckygas")])
def test_log_settings_for_uvicorn_exist(file: str, root: str) -> None:
    found = re.search(r"UVICORN_LOG_CONFIG[=:] ?(.+)", (DEPLOY / file).read_text())
    assert found is not None
    assert (ROOT / Path(found[1]).relative_to(root)).exists()


def test_prometheus_scrapes_every_server_through_nginx() -> None:
    config = yaml.safe_load(re.findall(r"```yaml\n(.+?)```", docs.text("operations"), re.DOTALL)[0])
    machine, server = config["scrape_configs"]
    alerts = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"][0]["rules"]
    (jobs,) = [re.findall(r'job=~"(.+?)"', rule["expr"]) for rule in alerts if rule["alert"] == "ServiceDown"]
    assert all(re.fullmatch(jobs[0], job["job_name"]) for job in (machine, server))
    paths = [target["labels"]["__metrics_path__"] for target in server["static_configs"]]
    sockets = re.findall(r"server unix:/run/luckygas/(\d+)\.sock ", (DEPLOY / "nginx.conf").read_text())
    assert paths == [f"/{number}/health/metrics" for number in sockets]
    # Series of two targets with the same job and instance would be mixed up.
    assert len({target["labels"]["instance"] for target in server["static_configs"]}) == len(paths)


def function_output(function: str, **variables: str) -> str:
    """Returns the output of one function of `install.sh`, which reads `variables`."""
    script = (DEPLOY / "install.sh").read_text()
    found = [re.search(rf"^{name}\(\) {{.+?^}}$", script, re.MULTILINE | re.DOTALL) for name in ("hosts", function)]
    environment = {"PATH": "/usr/bin:/bin"} | variables
    command = ["bash", "-euc", "\n".join([*(one[0] for one in found if one), function])]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def test_install_of_two_servers_keeps_shipped_files() -> None:
    variables = {"servers": "2", "domain": "gas.example.tw", "names": "gas.example.tw"}
    assert function_output("nginx_conf", **variables) == (DEPLOY / "nginx.conf").read_text()
    assert function_output("target", **variables) == (DEPLOY / "systemd/luckygas.target").read_text()


@pytest.mark.parametrize(("servers", "expected"), [("1", ["1"]), ("3", ["1", "2", "3"])])
def test_installed_files_have_the_wanted_number_of_servers(servers: str, expected: list[str]) -> None:
    conf = function_output("nginx_conf", servers=servers, domain="gas.tw", names="gas.tw www.gas.tw")
    assert re.findall(r"^    server unix:/run/luckygas/(\d+)\.sock max_fails=0;$", conf, re.MULTILINE) == expected
    assert ("gas.example.tw" in conf, conf.count("server_name gas.tw www.gas.tw;")) == (False, 2)
    assert re.findall(r"luckygas-app@(\d+)\.service", function_output("target", servers=servers)) == expected


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("gas.tw", "gas.tw"),
        ("gas.tw,www.gas.tw", "gas.tw www.gas.tw"),
        ("'gas.tw, .lg.tw'", "gas.tw .lg.tw"),
        ("'gas.tw,*'", "gas.tw ~."),
    ],
)
def test_nginx_server_names_are_all_allowed_hosts(tmp_path: Path, written: str, names: str) -> None:
    (tmp_path / "env").write_text(f"HTTPS=true\nALLOWED_HOSTS={written}\nSERVERS=2\n")
    assert function_output("all_hosts", settings=str(tmp_path)) == f"{names}\n"


@pytest.mark.parametrize(
    "written", ["gas.tw", "gas.tw,www.gas.tw", "'gas.tw, www.gas.tw'", "'gas.tw'", ".gas.tw", "'*,.gas.tw'"]
)
def test_canonical_name_is_the_first_allowed_host_except_star(tmp_path: Path, written: str) -> None:
    (tmp_path / "env").write_text(f"HTTPS=true\nALLOWED_HOSTS={written}\nSERVERS=2\n")
    assert function_output("first_host", settings=str(tmp_path)) == "gas.tw\n"


def test_sender_unit_has_the_senders_niceness() -> None:
    unit = (ROOT / "deploy/systemd/luckygas-sender.service").read_text()
    assert f"\nNice={NICENESS}\n" in unit


@pytest.mark.parametrize("service", SERVICES)
def test_service_starts_existing_program(service: str) -> None:
    python, *command = exec_start(service, "prune_events")
    assert (ROOT / python.removeprefix("/opt/luckygas/current/")).exists()
    if command[0] == "manage.py":
        assert command[1] in get_commands()
    elif python.endswith("/python"):
        assert (ROOT / command[0]).exists()


@pytest.mark.parametrize("timer", TIMERS)
def test_timer_starts_existing_unit_and_is_enabled(timer: str) -> None:
    unit = re.search(r"^Unit=(?P<unit>.+)$", (DEPLOY / "systemd" / timer).read_text(), re.MULTILINE)
    assert unit is not None
    service, instance = re.sub(r"@[^.]+", "@", unit["unit"]), re.search(r"@([^.]+)", unit["unit"])
    assert service in SERVICES
    assert instance is None or instance[1] in get_commands()
    assert timer in (DEPLOY / "systemd/luckygas.target").read_text()


def test_operations_page_names_existing_files() -> None:
    for file in re.findall(r"`([a-z-]+\.(?:sh|py|conf|yml|env)|rolling-restart)`", docs.text("operations")):
        assert (DEPLOY / file).exists(), file


@pytest.fixture
def systemd_analyze(tmp_path: Path) -> list[str]:
    """The command systemd-analyze for a directory with our units and programs; empty if it is not installed."""
    program = shutil.which("systemd-analyze")
    units, release = tmp_path / "etc/systemd/system", tmp_path / "opt/luckygas/current"
    shutil.copytree(DEPLOY / "systemd", units)
    shutil.copytree(DEPLOY, release / "deploy")
    return [program, f"--root={tmp_path}"] if program else []


def test_systemd_accepts_the_units(systemd_analyze: list[str]) -> None:
    names = [name.replace("@.", "@1.") for name in UNITS]
    if systemd_analyze:
        done = subprocess.run(
            [*systemd_analyze, "verify", *names], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        # Leaves out messages about Debian's own units, which the directory does not have.
        lines = [line for line in done.stderr.splitlines() if "not found" not in line]
        assert lines == []


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_sandboxed(service: str, systemd_analyze: list[str]) -> None:
    """`systemd-analyze security` rates an unrestricted service 10.0. The threshold 20 means 2.0, which is “OK”."""
    if systemd_analyze:
        name = service.replace("@.", "@1.")
        command = [*systemd_analyze, "security", "--offline=true", "--threshold=20", name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.servers
def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    server = Nginx(tmp_path)
    try:
        done = subprocess.run(
            [*server.command(), "-t"], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
    finally:
        server.stop()
    assert (done.returncode, "warn" in done.stderr) == (0, False), done.stderr
    assert nginx()


@pytest.mark.servers
def test_nginx_closes_connections_for_other_hosts(tmp_path: Path) -> None:
    with running(Nginx(tmp_path)) as server:
        session = requests.Session()
        session.trust_env, session.verify = False, str(server.certificate)

        def ask(root: str, host: str) -> requests.Response:
            return session.get(f"{root}/x?y=1", headers={"Host": host}, allow_redirects=False, timeout=PATIENCE_SECONDS)

        plain = f"http://127.0.0.1:{server.plain}"
        for root in (plain, server.root):
            for host in ("evil.example", "127.0.0.1.evil.example"):
                with pytest.raises(requests.ConnectionError):
                    ask(root, host)
        for host in ("127.0.0.1", f"127.0.0.1:{server.plain}", "127.0.0.1:6666"):
            redirect = ask(plain, host)
            assert (redirect.status_code, redirect.headers["Location"]) == (308, "https://127.0.0.1/x?y=1")
        assert ask(server.root, "127.0.0.1").status_code == 502  # there is no app server here


@pytest.mark.servers
def test_nginx_throttles_sign_ins_by_address(tmp_path: Path) -> None:
    """No server runs behind nginx, so each request that nginx forwards gets 502."""
    with running(Nginx(tmp_path)) as server:
        client = requests.Session()
        client.verify, client.trust_env = str(server.certificate), False
        token, page = f"{server.root}/api/v1/auth/token/", f"{server.root}/accounts/login/"
        statuses = [client.post(token, json={}, timeout=PATIENCE_SECONDS).status_code for _ in range(20)]
        statuses += [client.post(page, timeout=PATIENCE_SECONDS).status_code for _ in range(11)]
        api_response, page_response = (
            client.post(token, json={}, timeout=PATIENCE_SECONDS),
            client.post(page, timeout=PATIENCE_SECONDS),
        )
        read_statuses = [client.get(page, timeout=PATIENCE_SECONDS).status_code for _ in range(40)]
    assert set(statuses) == {502}
    assert (api_response.status_code, api_response.headers["Retry-After"]) == (429, "10")
    assert api_response.json()["errors"][0]["code"] == "throttled"
    assert (page_response.status_code, page_response.headers["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert "請等 10 秒再試一次" in page_response.text
    assert set(read_statuses) == {502}


def test_rolling_restart_stops_at_first_failure(tmp_path: Path) -> None:
    """Uses a fake systemctl that fails for the second server."""
    fake_systemctl = tmp_path / "systemctl"
    fake_systemctl.write_text(f"""#!/bin/sh
echo "$*" >>{tmp_path}/commands
case $* in
    list-units*) for n in 1 2 3; do echo "luckygas-app@$n.service loaded active running Lucky Gas"; done ;;
    *@2.service) exit 1 ;;
esac
""")
    fake_systemctl.chmod(0o755)
    script = [str(DEPLOY / "rolling-restart")]
    done = subprocess.run(script, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=False)
    assert done.returncode == 1
    commands = (tmp_path / "commands").read_text().splitlines()[1:]
    assert commands == ["restart luckygas-app@1.service", "restart luckygas-app@2.service"]


def test_image_leaves_out_files_that_use_the_testing_package() -> None:
    left_out = (ROOT / ".dockerignore").read_text().split()
    assert "luckygas/testing" in left_out
    importing = {
        str(path.relative_to(ROOT)) for app in APPS for path in files(app) if "luckygas.testing" in path.read_text()
    }
    assert importing - set(left_out) == set()
