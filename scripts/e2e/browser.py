#!/usr/bin/env python3
"""Looks at a page with Chromium, as a desktop and a phone do, light and dark, and prints what was seen as JSON.

    browser.py URL EXPRESSION DIRECTORY

Waits at each size until EXPRESSION, in JavaScript, is true on the page, and puts a screenshot into DIRECTORY. Speaks the
DevTools protocol over a pair of pipes, so that nothing beside Chromium is needed.
"""

import base64
import json
import os
import select
import subprocess
import sys
import tempfile
import time

SIZES = [
    ("desktop-light", 1280, 900, "light", False),
    ("desktop-dark", 1280, 900, "dark", False),
    ("phone-light", 390, 844, "light", True),
    ("phone-dark", 390, 844, "dark", True),
]
DEADLINE = 60


class Browser:
    def __init__(self, profile):
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()

        def pipes():
            # Beyond 3 and 4 first: one may be the other's place.
            one, other = os.dup2(theirs_in, 100), os.dup2(theirs_out, 101)
            os.dup2(one, 3)
            os.dup2(other, 4)

        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        command += ["--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(command, preexec_fn=pipes, close_fds=False, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.input, self.output = ours_in, ours_out
        self.waiting, self.number, self.until = b"", 0, time.monotonic() + DEADLINE
        self.session = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def ask(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def message(self):
        while b"\0" not in self.waiting:
            left = self.until - time.monotonic()
            if left <= 0 or not select.select([self.input], [], [], left)[0]:
                sys.exit(f"no answer from the browser within {DEADLINE} s")
            self.waiting += os.read(self.input, 1 << 16) or sys.exit("the browser has ended")
        message, self.waiting = self.waiting.split(b"\0", 1)
        return json.loads(message)

    def value(self, expression):
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            sys.exit(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def look(self, url, expression, width, height, scheme, mobile):
        self.until = time.monotonic() + DEADLINE
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.ask("Page.navigate", url=url)
        while not self.value(f"document.readyState === 'complete' && ({expression})"):
            if time.monotonic() > self.until:
                sys.exit(f"{expression} is not true within {DEADLINE} s: {self.value('document.body.innerText')}")
            time.sleep(0.2)
        seen = self.value(
            """({ text: document.body.innerText, background: getComputedStyle(document.body).backgroundColor,
                  width: document.documentElement.scrollWidth,
                  outside: performance.getEntriesByType("resource").map(one => one.name).filter(name => !name.startsWith(location.origin)) })"""
        )
        picture = self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        return seen, base64.b64decode(picture)

    def end(self):
        self.process.terminate()
        self.process.wait()


def main():
    url, expression, directory = sys.argv[1:]
    found = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            for name, width, height, scheme, mobile in SIZES:
                found[name], picture = browser.look(url, expression, width, height, scheme, mobile)
                found[name]["is_too_wide"] = found[name].pop("width") > width
                with open(os.path.join(directory, name + ".png"), "wb") as file:
                    file.write(picture)
        finally:
            browser.end()
    json.dump(found, sys.stdout, indent=1)


main()
