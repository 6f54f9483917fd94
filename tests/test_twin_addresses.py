"""Addresses: which is one, which is this machine, and what of one may be shown."""

from __future__ import annotations

import pytest

from twin.addresses import fault_of, is_loopback, place


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080/v1", True),
        ("http://127.9.9.9/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://localhost/v1", True),
        ("http://LOCALHOST:1/v1", True),
        ("http://localhost.example.com/v1", False),
        ("http://127.0.0.1.example.com/v1", False),
        ("http://127.0.0.1@example.com/v1", False),
        ("http://0.0.0.0/v1", False),
        ("http://192.168.0.2/v1", False),
        ("https://api.example.com/v1", False),
        ("", False),
    ],
)
def test_only_this_machine_is_this_machine(url, expected):
    assert is_loopback(url) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080/v1", None),
        ("https://models.example.com/v1", None),
        ("http://[::1]:8000", None),
        ("127.0.0.1:8080", "no address"),
        ("ftp://127.0.0.1/v1", "no address"),
        ("http://", "no address"),
        ("http://127.0.0.1:99999/v1", "no address"),
        ("http://[::1/v1", "no address"),
        ("http://user:word@127.0.0.1/v1", "more than an address"),
        ("http://127.0.0.1/v1?key=word", "more than an address"),
        ("http://127.0.0.1/v1#word", "more than an address"),
    ],
)
def test_an_address_is_an_address_and_nothing_more(url, expected):
    assert fault_of(url) == expected


def test_of_an_address_host_and_port_are_shown():
    assert place("https://models.example.com/v1") == "models.example.com"
    assert place("http://127.0.0.1:8000/v1") == "127.0.0.1:8000"
