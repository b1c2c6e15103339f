//! Processes in Linux's `/proc`, and signals to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

/// A running process.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// The process that started it.
    pub parent: u32,
    /// The file name of its program.
    pub program: String,
}

/// All running processes, without zombies.
fn running() -> BTreeMap<u32, Process> {
    let entries = fs::read_dir("/proc").expect("/proc can be read");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, read(pid)?))).collect()
}

fn read(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // pid (comm) state ppid …; comm may contain anything, so parse after its last parenthesis.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let command_line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let program = command_line.split('\0').next()?.rsplit('/').next()?.to_owned();
    Some(Process { pid, parent, program })
}

/// All processes that `ancestor` started, directly or not.
pub fn descendants(ancestor: u32) -> Vec<Process> {
    let all = running();
    let descends = |process: &Process| {
        let mut parent = process.parent;
        while parent != ancestor {
            match all.get(&parent) {
                Some(next) => parent = next.parent,
                None => return false,
            }
        }
        true
    };
    all.values().filter(|process| descends(process)).cloned().collect()
}

/// The processes of one random program among all that `ancestor` started, in random order.
pub fn of_a_program(ancestor: u32, random: &mut fastrand::Rng) -> Vec<u32> {
    let running = descendants(ancestor);
    let names: BTreeSet<&str> = running.iter().map(|process| process.program.as_str()).collect();
    let Some(name) = random.choice(Vec::from_iter(names)) else { return Vec::new() };
    let of_name = running.iter().filter(|process| process.program == name);
    let mut pids: Vec<u32> = of_name.map(|process| process.pid).collect();
    random.shuffle(&mut pids);
    pids
}

/// All processes that were started with the variable `name` set to `value`, whatever their parent is now.
pub fn with_variable(name: &str, value: &str) -> Vec<Process> {
    with_variable_that(name, |set| set == value)
}

/// All processes that were started with a variable `name` for whose value `is` returns true, whatever their parent is
/// now.
pub fn with_variable_that(name: &str, is: impl Fn(&str) -> bool) -> Vec<Process> {
    running().into_values().filter(|process| variable(process.pid, name).is_some_and(|set| is(&set))).collect()
}

/// Whether `process` still runs. (Its id may belong to another program since.)
pub fn runs(process: &Process) -> bool {
    read(process.pid).is_some_and(|now| now.program == process.program)
}

/// Sends `signal` ("KILL", "TERM", "INT", "STOP", "CONT") to the process `pid`; returns whether it exists.
pub fn signal(pid: u32, signal: &str) -> bool {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status();
    status.expect("kill can be run").success()
}

/// A variable in the start environment of the process `pid`.
pub fn variable(pid: u32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let environment = String::from_utf8_lossy(&environment).into_owned();
    environment.split('\0').find_map(|entry| Some(entry.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

/// Remote ports of the TCP connections of the process `pid`.
pub fn remote_ports(pid: u32) -> BTreeSet<u16> {
    let sockets: BTreeSet<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("the process runs and is ours")
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["tcp", "tcp6"].map(|kind| fs::read_to_string(format!("/proc/{pid}/net/{kind}")).unwrap_or_default());
    let connections = tables.iter().flat_map(|table| table.lines().skip(1));
    connections.filter_map(|line| remote_port(line, &sockets)).collect()
}

/// From a line of `/proc/net/tcp`: slot, local, remote (`address:port`, hexadecimal), state, …, the inode as the tenth.
fn remote_port(line: &str, sockets: &BTreeSet<String>) -> Option<u16> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (remote, inode) = (fields.get(2)?, fields.get(9)?);
    let port = u16::from_str_radix(remote.rsplit_once(':')?.1, 16).ok()?;
    (sockets.contains(*inode) && port != 0).then_some(port)
}
