"""The server name of real ClientHellos, and of what is none."""

import asyncio
import ssl

import pytest

from grading.client_hello import read_record, server_name


def client_hello(name: str | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = name is not None
    context.maximum_version = version
    sent = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return sent.read()


def with_extension(record: bytes, extension: bytes) -> bytes:
    """Return a ClientHello with one more extension, and all its lengths."""
    hello = record[9:]
    at = 34
    for width in (1, 2, 1):
        at += width + int.from_bytes(hello[at : at + width])
    extensions = hello[at + 2 :] + extension
    hello = hello[:at] + len(extensions).to_bytes(2) + extensions
    message = b"\x01" + len(hello).to_bytes(3) + hello
    return record[:3] + len(message).to_bytes(2) + message


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", ["pypi.org", "xn--bcher-kva.example", "a" * 60 + ".example.org"])
def test_the_name_that_a_client_asks_for(name: str, version: ssl.TLSVersion) -> None:
    assert server_name(client_hello(name, version)) == name


@pytest.mark.parametrize("name", [None, "192.0.2.1"])
def test_an_address_is_no_name(name: str | None) -> None:
    assert server_name(client_hello(name)) is None


def test_an_unknown_extension_is_no_matter() -> None:
    assert server_name(with_extension(client_hello("pypi.org"), b"\xab\xcd\x00\x01x")) == "pypi.org"


@pytest.mark.parametrize(
    "extension",
    [
        b"\x00\x00\x00\x0b\x00\x09\x00\x00\x06b.test",  # a second server name
        b"\xfe\x0d\x00\x01x",  # an encrypted ClientHello, in which there may be another one
        b"\xab\xcd\xff\xff",
        b"\xab",
    ],
)
def test_an_extension_that_could_hide_a_name(extension: bytes) -> None:
    with pytest.raises(ValueError, match=r"extension|early"):
        server_name(with_extension(client_hello("pypi.org"), extension))


@pytest.mark.parametrize(
    "names",
    [
        b"",
        b"\x00\x00",
        b"\x00\x04\x01\x00\x01a",
        b"\x00\x08\x00\x00\x01a\x00\x00\x01b",
        b"\x00\x04\x00\x00\x01\xff",
    ],
)
def test_a_list_of_names_that_is_not_one_host(names: bytes) -> None:
    extension = b"\x00\x00" + len(names).to_bytes(2) + names
    with pytest.raises(ValueError, match=r"early|host name|ascii"):
        server_name(with_extension(client_hello(None), extension))


def test_no_beginning_is_taken_for_the_whole() -> None:
    record = client_hello(None)
    for size in range(len(record)):
        with pytest.raises(ValueError, match="early"):
            server_name(record[:size])


async def test_a_record_is_read_to_its_end_and_no_further() -> None:
    record = client_hello("pypi.org")
    reader = asyncio.StreamReader()
    reader.feed_data(record + b"more")

    assert await read_record(reader) == record
    assert await reader.read(4) == b"more"


@pytest.mark.parametrize("header", [b"GET / HTTP/1.1", b"\x17\x03\x03\x00\x01x", b"\x16\x03\x01\x40\x01"])
async def test_what_is_no_handshake_is_not_read(header: bytes) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(header)

    with pytest.raises(ValueError, match="no TLS handshake"):
        await read_record(reader)
