"""`make run` as a process on its own empty database, for tests and the pictures in the docs."""

from __future__ import annotations

import os
import re
import sys

from luckygas.testing.servers import Server
from luckygas.testing.site import ROOT


class DemoSite(Server):
    """The process of `make run`. `url` is the root of the site, `phones` that of the sandbox."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def phones(self) -> str:
        found = re.search(r"^The customers' telephones: +(http.+)/$", self.log.read_text(), re.MULTILINE)
        assert found is not None
        return found[1]

    def is_ready(self) -> bool:
        return "Ctrl-C stops it." in self.log.read_text()

    def command(self) -> list[str]:
        return [sys.executable, "-m", "luckygas.testing.run", "--address", self.address]

    def environment(self) -> dict[str, str]:
        own = {"DATABASE_URL": f"sqlite:///{self.directory}/db.sqlite3", "PYTHONPATH": str(ROOT), "REDIS_URL": ""}
        return os.environ | own | {"SMS_GATEWAY": "", "LOG_LEVEL": "INFO"}
