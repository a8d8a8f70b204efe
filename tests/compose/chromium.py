"""Chromium without a window, driven over its DevTools protocol: pages as users have them, several at once.

A page's own JavaScript runs; what a test does is typed and clicked through the document.
"""

import contextlib
import json
import os
import shutil

import http_client
from websockets.sync.client import connect

from support.polling import eventually
from support.processes import Process

START_SECONDS = 40
ANSWER_SECONDS = 20
FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)


def program():
    """None where there is no Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """A tab. Errors of its JavaScript are collected."""

    def __init__(self, address, url):
        self.opened = contextlib.ExitStack()
        self.link = self.opened.enter_context(connect(address, open_timeout=ANSWER_SECONDS, max_size=None))
        self.calls = 0
        self.errors = []
        self.call("Runtime.enable")
        self.call("Page.enable")
        self.call("Page.navigate", url=url)
        eventually(lambda: self.run("document.readyState === 'complete'"), ANSWER_SECONDS)

    def call(self, method, **parameters):
        self.calls += 1
        self.link.send(json.dumps({"id": self.calls, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.link.recv(timeout=ANSWER_SECONDS))
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(answer["params"]["exceptionDetails"].get("text", "an error"))
            if answer.get("id") == self.calls:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def run(self, expression):
        """The expression's value, as JSON carries it."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def type(self, selector, text):
        """As from a keyboard: the page sees the field focused and its value come in."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def press_enter(self):
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        self.call("Input.dispatchKeyEvent", type="keyDown", **key)
        self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def click(self, selector):
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def texts(self, selector):
        query = f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.textContent)"
        return self.run(query)

    def close(self):
        self.opened.close()


class Chromium(Process):
    def __init__(self):
        super().__init__("chromium")
        self.pages = []
        sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
        profile = self.directory / "profile"
        arguments = [program(), *FLAGS, *sandbox, f"--user-data-dir={profile}", "about:blank"]
        self.spawn(arguments, env={**os.environ, "HOME": str(self.directory)})
        port_file = profile / "DevToolsActivePort"
        self.port = int(
            eventually(
                lambda: port_file.exists() and port_file.read_text().partition("\n")[0],
                START_SECONDS,
                message=f"Chromium does not start:\n{self.log_tail()}",
            )
        )

    def open(self, url):
        """A new tab that has loaded the URL."""
        made = http_client.request(self.port, "PUT", "/json/new?about:blank")
        page = Page(made.json()["webSocketDebuggerUrl"], url)
        self.pages.append(page)
        return page

    def __exit__(self, *arguments):
        for page in self.pages:
            page.close()
        return super().__exit__(*arguments)
