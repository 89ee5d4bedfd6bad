"""A real browser without a window, driven by lines of JSON: ["open", URL, WIDTH, "light" or "dark"], ["text", CSS], ["click", CSS], ["type", CSS, TEXT],
["choose", CSS, VALUE], ["press", KEY], ["focused"], ["width"], ["flaws"], ["messages"], ["save", FILE].

Answers each with a line {"ok": ...} or {"error": ...}. "flaws" are what axe finds that people with a keyboard or a screen reader would miss.
"""

import json
import sys

from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

# Without them a browser asks for what this machine may not reach.
ALONE = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
HEIGHT = 2200


def start(binary, driver):
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ALONE:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


class Browser:
    def __init__(self, chrome):
        self.chrome = chrome

    def find(self, css):
        return self.chrome.find_element(By.CSS_SELECTOR, css)

    def open(self, url, width, scheme):
        size = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width < 600}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.chrome.get(url)

    def text(self, css):
        return self.find(css).text

    def click(self, css):
        self.find(css).click()

    def type(self, css, text):
        place = self.find(css)
        place.clear()
        place.send_keys(text)

    def choose(self, css, value):
        Select(self.find(css)).select_by_value(value)

    def press(self, key):
        self.chrome.switch_to.active_element.send_keys(getattr(Keys, key))

    def focused(self):
        return self.chrome.switch_to.active_element.get_attribute("id")

    def width(self):
        return self.chrome.execute_script("return document.documentElement.scrollWidth")

    def flaws(self):
        found = Axe().run(self.chrome)["violations"]
        return [[flaw["id"], [node["target"] for node in flaw["nodes"]]] for flaw in found]

    def messages(self):
        return [entry["message"] for entry in self.chrome.get_log("browser")]

    def save(self, file):
        self.chrome.save_screenshot(file)


def main():
    chrome = start(*sys.argv[1:])
    try:
        print("ready", flush=True)
        browser = Browser(chrome)
        for line in sys.stdin:
            verb, *arguments = json.loads(line)
            try:
                answer = {"ok": getattr(browser, verb)(*arguments)}
            except WebDriverException as error:
                answer = {"error": error.msg}
            print(json.dumps(answer), flush=True)
    finally:
        chrome.quit()


main()
