"""Chromium without a window, for the web console."""

import contextlib
import shutil

from playwright.sync_api import expect, sync_playwright

expect.set_options(timeout=15_000)


@contextlib.contextmanager
def browser(program=None):
    """Debian's Chromium, or a program that starts it; it ends with the block."""
    program = program or shutil.which("chromium")
    if not program:
        raise RuntimeError("there is no chromium; run scripts/setup")
    with sync_playwright() as playwright:
        # Whoever is root has no sandbox; pages come from our own server only.
        running = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        try:
            yield running
        finally:
            running.close()


def hook(page, name):
    """The element that is marked for tests."""
    return page.locator(f'[data-test="{name}"]')


def write(page, sql):
    """Puts a text into the editor of the query page."""
    expect(page.locator(".CodeMirror")).to_be_visible()
    page.locator(".CodeMirror").evaluate("(element, sql) => element.CodeMirror.setValue(sql)", sql)


def written(page):
    """The text in the editor."""
    expect(page.locator(".CodeMirror")).to_be_visible()
    return page.locator(".CodeMirror").evaluate("element => element.CodeMirror.getValue()")


def sign_in(page, url, user=None, password=None):
    """Opens the console; the overview comes first."""
    page.goto(url)
    if user:
        hook(page, "login-user").fill(user)
        hook(page, "login-password").fill(password)
        hook(page, "login-submit").click()
    expect(hook(page, "nav-overview")).to_be_visible()


def visit(page, name):
    hook(page, f"nav-{name}").click()
    expect(page.locator("h1")).to_have_text(name.capitalize())
