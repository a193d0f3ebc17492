"""Fetching a picture that comes as an address: from public hosts only, and never more than allowed."""

import asyncio
import ipaddress
import socket

import httpx

from ._exchange import read_limited
from ._failures import UNREADABLE, CallFailed

_MAX_REDIRECTS = 3
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


async def fetch_picture(client: httpx.AsyncClient, address: str, *, max_bytes: int, private_hosts: bool) -> bytes:
    """Fetches a picture by its address, from public hosts only.

    The host's name is resolved once and the connection is made to the address that was checked, so that a name
    cannot be public when it is checked and private when it is used. Redirects are followed by the same rules.

    Args:
        private_hosts: take hosts that are not public too, and addresses without TLS.

    Raises:
        CallFailed: it is not there, not public, or larger than `max_bytes`.
        HTTP_ERRORS: the connection failed, or the address is none.
    """
    url = httpx.URL(address)
    for _ in range(_MAX_REDIRECTS + 1):
        if url.scheme != "https" and not (private_hosts and url.scheme == "http"):
            raise CallFailed(UNREADABLE, f"the picture's address is not https: {url.scheme}")
        pinned = url.copy_with(host=await _resolve(url, private_hosts))
        # Each host gets a connection of its own: one to the same address may have been made for another name.
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
    """An address of the URL's host, when all of them are public."""
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
    """Whether an IP address is on the public internet, the IPv4 address that an IPv6 one may carry included."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            carried = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if carried is not None:
            return is_public(str(carried))
    return ip.is_global and not ip.is_multicast
