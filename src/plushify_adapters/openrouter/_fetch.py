"""Download of a picture from a URL, limited in size and restricted to public hosts."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterator

import httpx

from plushify_adapters.openrouter._failures import UNREADABLE, CallFailed
from plushify_adapters.openrouter._http import read_limited

_MAX_REDIRECTS = 3
# Other IPv6 addresses are not allocated, obsolete or of local use, such as ::/96, fec0::/10 and 64:ff9b:1::/48. Source:
# https://www.iana.org/assignments/ipv6-address-space/ipv6-address-space.xhtml
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")  # RFC 9637; Python 3.11 takes it for public
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_RELAYS_6TO4 = ipaddress.IPv4Network("192.88.99.0/24")  # RFC 7526 withdraws them
_ISATAP = 0x0000_5EFE  # first half of the interface identifier, RFC 5214 section 6.1


async def fetch_picture(client: httpx.AsyncClient, picture_url: str, *, max_bytes: int, private_hosts: bool) -> bytes:
    """Return the bytes at a URL, and follow redirects under the same rules.

    The host name is resolved once and the connection is made to the checked IP address. That prevents DNS rebinding:
    a name that resolves to a public address when it is checked and to a private one when it is used.

    Args:
        client: HTTP client to use.
        picture_url: URL of the picture, as returned by OpenRouter.
        max_bytes: Largest picture that is accepted.
        private_hosts: Whether to allow private hosts and plain HTTP.

    Raises:
        CallFailed: The picture is missing, on a host that is not allowed, or larger than `max_bytes`.
        HTTP_ERRORS: The connection failed, or the URL is invalid.
    """
    url = httpx.URL(picture_url)
    for _ in range(_MAX_REDIRECTS + 1):
        if url.scheme != "https" and not (private_hosts and url.scheme == "http"):
            raise CallFailed(UNREADABLE, f"the picture's address is not https: {url.scheme}")
        pinned = url.copy_with(host=await _resolve(url, private_hosts))
        # A pooled connection to the same IP address may belong to another host name, so none is reused.
        headers = {"Host": url.netloc.decode("ascii"), "Accept": "image/*", "Connection": "close"}
        extensions = {"sni_hostname": url.raw_host.decode("ascii")}
        request = client.build_request("GET", pinned, headers=headers, extensions=extensions)
        response = await client.send(request, stream=True, follow_redirects=False, auth=None)
        try:
            if response.has_redirect_location:
                url = url.join(response.headers["Location"])
                continue
            if response.status_code != 200:
                raise CallFailed(UNREADABLE, f"the picture's address answers {response.status_code}")
            return await read_limited(response, max_bytes)
        finally:
            await response.aclose()
    raise CallFailed(UNREADABLE, f"the picture's address redirects more than {_MAX_REDIRECTS} times")


async def _resolve(url: httpx.URL, private_hosts: bool) -> str:
    """Return an IP address of the host of the URL.

    Raises:
        CallFailed: the host is not found, or one of its addresses is not public and `private_hosts` is False.
    """
    host, port = url.raw_host.decode("ascii"), url.port or 443
    if not 0 < port < 2**16:
        raise CallFailed(UNREADABLE, f"the picture's address has no port {port}")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CallFailed(UNREADABLE, f"the picture's host is not found: {host}") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not private_hosts and not all(is_public(address) for address in addresses):
        raise CallFailed(UNREADABLE, f"the picture's host is not public: {host}")
    return addresses[0]


def is_public(address: str) -> bool:
    """Return whether an IP address is on the public internet; IPv4 addresses embedded in IPv6 must be as well."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast and ip not in _RELAYS_6TO4
    embedded = list(_embedded_ipv4(ip))
    if ip.ipv4_mapped or ip.sixtofour or ip.teredo or ip in _NAT64:
        return all(map(is_public, embedded))
    return ip in _GLOBAL_UNICAST and ip.is_global and ip not in _DOCUMENTATION and all(map(is_public, embedded))


def _embedded_ipv4(ip: ipaddress.IPv6Address) -> Iterator[str]:
    """Yield the IPv4 addresses that an IPv6 address leads to."""
    found = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if ip in _NAT64 or int(ip) >> 32 & 0xFDFF_FFFF == _ISATAP:
        found.append(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF))
    yield from (str(address) for address in found if address is not None)
