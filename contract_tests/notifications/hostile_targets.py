"""R32: where no webhook may ever go, as addresses and as the URLs that lead there."""

from __future__ import annotations

HOSTILE_ADDRESSES = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200"),
    *("100.127.255.255", "127.0.0.1", "127.0.0.53", "127.1.2.3", "127.255.255.255"),
    *("169.254.0.1", "169.254.169.254", "169.254.170.2", "169.254.169.123", "172.16.0.1"),
    *("172.31.255.255", "192.0.0.1", "192.0.0.8", "192.0.0.170", "192.0.0.192", "192.0.2.1"),
    *("192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.168.255.255"),
    *("192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.7"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::2", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("::ffff:8.8.8.8", "::127.0.0.1", "::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "100:0:0:1::1"),
    *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1"),
    *("2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::1"),
    *("2002:808:808::1", "2620:4f:8000::1", "3fff::1", "3fff:fff::1", "4000::1", "5f00::1"),
    *("fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0"),
    *("febf::1", "fec0::1", "ff02::1", "ff0e::1", "2606:4700:0:0:0:5efe:7f00:1"),
    *("2606:4700:0:0:200:5efe:a00:1", "fe80::5efe:a9fe:a9fe"),
]


def address_url(address: str) -> str:
    return f"https://[{address.replace('%', '%25')}]/" if ":" in address else f"https://{address}/"


HOSTILE_URLS = [
    *(address_url(address) for address in HOSTILE_ADDRESSES),
    # The same addresses in forms that some resolvers read.
    *("https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/"),
    *("https://127.1/", "https://127.0.1/", "https://017700000001/", "https://0x7f.1/"),
    *("https://1.1/", "https://0/", "https://0x/", "https://127.0.0.1./", "https://127.0.0.01/"),
    *("https://00000127.0.0.1/", "https://256.256.256.256/", "https://1.1.1.1.1/"),
    *("https://127.0.0.0x1/", "https://[::1]./", "https://[v1.x]/", "https://[127.0.0.1]/x"),
    *("https://[::1", "https://::1/", "https://[::ffff:7f00:1]/", "https://[::1%25lo]/"),
    # Names that mean something only inside.
    *("https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://a.localhost/"),
    *("https://localhost.localdomain/", "https://printer.local/", "https://wiki/"),
    *("https://metadata.google.internal/", "https://kubernetes.default.svc.cluster.local/"),
    *("https://router.lan/", "https://nas.home.arpa/", "https://x.corp/", "https://a.onion/"),
    # Who you say you are, and what others read there.
    *("https://good.example@127.0.0.1/", "https://user:pw@hooks.example/", "https://@x.example/"),
    *("https://hooks.example\\@127.0.0.1/", "https://127.0.0.1\\.hooks.example/"),
    *("https://hooks.example#@127.0.0.1/", "https://hooks.example/#x", "https://%31.0.0.127/"),
    *("https://%6cocalhost/", "https://hooks%2eexample/", "https://①②⑦.⓪.⓪.①/"),
    *("https://localhoſt/", "https://hooks。example/", "https://xn--/../", "https://a..example/"),
    *("https://.example/", "https://hooks.example./", "https://-a.example/", "https:///x"),
    *(
        "https://",
        "https:/hooks.example",
        "https:hooks.example",
        "//hooks.example/",
        "hooks.example",
    ),
    # Other schemes and ports.
    *("http://hooks.example/", "ftp://hooks.example/", "file:///etc/passwd", "gopher://x.example/"),
    *("data:text/plain,x", "javascript:alert(1)", "unix:///run/docker.sock", "ws://x.example/"),
    *("https+unix://x.example/", "dict://127.0.0.1:11211/", "ldap://x.example/", "jar:https://x/"),
    *("https://hooks.example:22/", "https://hooks.example:25/", "https://hooks.example:80/"),
    *("https://hooks.example:6379/", "https://hooks.example:0/", "https://hooks.example:65536/"),
    *("https://hooks.example:-1/", "https://hooks.example:/", "https://hooks.example:４４３/"),
    *("https://hooks.example:443:80/", "https://hooks.example:1e3/"),
    # Lines, blanks and length.
    *("https://hooks.example/\r\nX-Evil: 1", "https://hooks.example\r\n/", "https://a.example/\n"),
    *("https://hooks.example/ x", " https://hooks.example/", "https://hooks.example/\t"),
    *("https://hooks.example/\x00", "https://hooks.example/\x7f", 'https://hooks.example/"'),
    *("https://hooks.example/<x>", "https://hooks.example/é", "https://hooks.example/{x}"),
    "https://hooks.example/" + "a" * 2048,
    f"https://{'a' * 64}.example/",
    f"https://{'a.' * 130}example/",
]
