//! Addresses of this machine for what is to be found there later, or never.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// An address at which nobody listens, and nobody will who does not ask for it.
///
/// A port that was free a moment ago on 127.0.0.1 may be anybody's the next: every test listens there, and the kernel
/// takes the ports of outgoing connections from the same range. So each test process has an address of its own in
/// 127.64.0.0/10 (all of 127.0.0.0/8 is this machine, on Linux), where only it asks for ports.
pub(crate) fn free_address() -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 64 | (high & 63), middle, low);
    TcpListener::bind((own, 0)).unwrap().local_addr().unwrap()
}
