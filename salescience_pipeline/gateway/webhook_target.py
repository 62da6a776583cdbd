"""Where a webhook may lead: to public addresses, whatever its name resolves to at the moment.

The name is resolved and every address it has is judged, when the webhook is made and again for every try; the connection
then goes to the very address that was judged, so that a name cannot change its mind in between. What does not belong here:
sending.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from salescience_pipeline.settings import SettingsError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]
"""Addresses of a host name, as text; raises OSError when there are none."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = [
    ipaddress.ip_network(text) for text in ("192.88.99.0/24", "fec0::/10", "3fff::/20", "5f00::/16", "64:ff9b:1::/48")
]
"""What the standard library of some versions takes for public: a relay's anycast, site-local, documentation, segment routing,
and a translator's own network (https://www.iana.org/assignments/iana-ipv6-special-registry)."""
_WELL_KNOWN_PORTS = frozenset({80, 443})


class TargetRefused(ValueError):
    """An address that no webhook may have; the message is one sentence and names no address of ours."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where one try goes: the address that was judged, and the name that the receiver goes by."""

    scheme: str
    host: str
    port: int
    address: str
    path: str

    @property
    def url(self) -> str:
        """With the address in place of the name, so that nothing resolves it again."""
        literal = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{literal}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        """The name as the receiver expects it."""
        usual = 443 if self.scheme == "https" else 80
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == usual else f"{name}:{self.port}"


def networks_of(texts: Sequence[str]) -> list[Network]:
    """The networks that the operator has opened.

    Raises:
        SettingsError: for something that is no network.
    """
    try:
        return [ipaddress.ip_network(text) for text in texts]
    except ValueError as error:
        raise SettingsError(f"SALESCIENCE_WEBHOOK_NETWORKS holds something that is no network: {error}.") from None


def resolve(host: str, port: int) -> list[str]:
    """What the system's resolver says; it also reads the odd spellings of numbers (127.1, 0x7f000001)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def parsed(url: str, *, https_only: bool) -> SplitResult:
    """The parts of an address that could be a webhook's.

    Raises:
        TargetRefused: for another scheme, credentials, a fragment, a control character, or a port of another service.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise TargetRefused("This is no address that could be called.") from None
    if not url.isascii() or any(ord(character) <= 32 or ord(character) == 127 for character in url) or "\\" in url:
        raise TargetRefused("A webhook's address is written in printable ASCII, its host in Punycode.")
    if parts.scheme not in (("https",) if https_only else ("https", "http")) or not parts.hostname:
        raise TargetRefused(
            f"A webhook's address begins with {'https' if https_only else 'https or http'}:// and a host."
        )
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise TargetRefused("A webhook's address holds no credentials and no fragment.")
    if port not in _WELL_KNOWN_PORTS and port < 1_024:
        raise TargetRefused("A webhook's port is 80, 443, or 1024 and above.")
    return parts


def target_of(url: str, *, https_only: bool, allowed: Sequence[Network] = (), resolver: Resolve = resolve) -> Target:
    """Where a try for ``url`` goes now.

    Args:
        url: The webhook's address.
        https_only: Whether http is refused.
        allowed: Networks that the operator has opened although they are not public.
        resolver: Finds addresses of a name.

    Raises:
        TargetRefused: when the address is none, its name has no address, or one that is not public.
    """
    parts = parsed(url, https_only=https_only)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = [ipaddress.ip_address(text) for text in resolver(host, port)]
    except (OSError, UnicodeError, ValueError):
        raise TargetRefused("The host of the webhook has no address.") from None
    # All of them: whoever mixes a public address with a private one means the private one.
    if not found or not all(is_public(address) or _is_in(address, allowed) for address in found):
        raise TargetRefused("The host of the webhook is not a public one.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, str(found[0]), path)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, also after what it carries inside is unpacked."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    usual = address.is_global and not address.is_multicast and not address.is_reserved
    return usual and not _is_in(address, _NOT_PUBLIC)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
