"""The parts of synapse-dev that are clumsy in bash. Python standard library only."""

import hashlib
import hmac
import json
import random
import socket
import sys
import urllib.error
import urllib.request


def ports(count):
    """Prints free ports below the range that the kernel gives to outgoing connections, so that a
    part which is killed finds its port free when it comes back."""
    taken = []
    candidates = random.sample(range(20000, 32000), 1000)
    for port in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        taken.append(port)
        if len(taken) == count:
            print(*taken)
            return
    sys.exit("no free ports")


def free(wanted):
    """Succeeds when every one of these ports is free."""
    for port in wanted:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                sys.exit(1)


def call(url, body=None):
    """One JSON request; the answer's JSON, also of an error answer, with its status."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def register(homeserver, secret, user, password, display_name, admin):
    """Makes a Matrix account through Synapse's shared-secret registration; one that exists is fine."""
    url = f"{homeserver}/_synapse/admin/v1/register"
    nonce = call(url)[1]["nonce"]
    kind = "admin" if admin else "notadmin"
    mac = hmac.new(secret.encode(), "\0".join([nonce, user, password, kind]).encode(), hashlib.sha1)
    status, answer = call(url, {
        "nonce": nonce, "username": user, "password": password, "displayname": display_name,
        "admin": admin, "mac": mac.hexdigest(),
    })
    if status != 200 and answer.get("errcode") != "M_USER_IN_USE":
        sys.exit(f"registering {user}: {status} {answer}")
    print(f"{user}: {answer.get('user_id', 'exists')}")


def main():
    command, *rest = sys.argv[1:]
    if command == "ports":
        ports(int(rest[0]))
    elif command == "free":
        free([int(port) for port in rest])
    elif command == "register":
        homeserver, secret, user, password, display_name, *flags = rest
        register(homeserver, secret, user, password, display_name, "--admin" in flags)
    else:
        sys.exit(f"unknown command {command}")


main()
