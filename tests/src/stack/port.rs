//! Ports for servers that a stack finds again after a restart.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::ops::Range;

/// Ports that the system assigns to no program by itself. So no program takes one of them while a stack is dead.
const PORTS: Range<u16> = 20_000..30_000;

/// A port that is free on both loopback addresses, for a server that must have the same port after a restart.
pub fn free_port() -> u16 {
    let taken = |address: IpAddr, port: u16| {
        // On a machine without IPv6 the port is free there too.
        TcpListener::bind((address, port)).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
    };
    let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    let mut ports = std::iter::repeat_with(|| fastrand::u16(PORTS));
    ports.find(|port| !loopback.iter().any(|address| taken(*address, *port))).expect("ports without end")
}

/// Whether the runner has ended because another program has taken its port.
pub(super) fn port_was_taken(log: &str) -> bool {
    log.lines().last().is_some_and(|line| line.contains("port ") && (line.contains("taken") || line.contains("in use")))
}
